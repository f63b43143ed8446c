"""How a text tower is run, on one core and in one call of torch's, and what comes out of it. It knows no network."""
