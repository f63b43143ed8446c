"""The journal of exports: what was written, how it was before, and what of that is let go."""
