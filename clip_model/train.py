"""`python -m clip_model.train`: see `clip_model/training/train.py`."""

from clip_model.training.train import main

if __name__ == "__main__":
    main()
