"""Makes pytest put the project's root on the path, not this folder, whose sub-folders are named like the packages."""
