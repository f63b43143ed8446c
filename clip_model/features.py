"""`python -m clip_model.features`: see `clip_model/pretrained/features.py`."""

from clip_model.pretrained.features import main

if __name__ == "__main__":
    main()
