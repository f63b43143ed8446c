"""`python -m clip_model.features`: see `clip_model/frozen/features.py`."""

from clip_model.frozen.features import main

if __name__ == "__main__":
    main()
