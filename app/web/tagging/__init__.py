"""Tags over the HTTP API beyond those of one photo: reviewed, changed, suggested, exported; and long work."""
