"""`python -m clip_model.distill`: see `clip_model/training/distill.py`."""

from clip_model.training.distill import main

if __name__ == "__main__":
    main()
