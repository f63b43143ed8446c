"""`python -m clip_model.average`: see `clip_model/training/average.py`."""

from clip_model.training.average import main

if __name__ == "__main__":
    main()
