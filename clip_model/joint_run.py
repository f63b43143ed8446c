"""`python -m clip_model.joint_run`: see `clip_model/pretrained/joint_run.py`."""

from clip_model.pretrained.joint_run import main

if __name__ == "__main__":
    main()
