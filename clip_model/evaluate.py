"""`python -m clip_model.evaluate`: see `clip_model/evaluation/evaluate.py`."""

from clip_model.evaluation.evaluate import main

if __name__ == "__main__":
    main()
