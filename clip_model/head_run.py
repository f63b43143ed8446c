"""`python -m clip_model.head_run`: see `clip_model/pretrained/head_run.py`."""

from clip_model.pretrained.head_run import main

if __name__ == "__main__":
    main()
