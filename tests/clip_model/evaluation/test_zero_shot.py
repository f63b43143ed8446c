import numpy as np
import pytest

from clip_model.evaluation.zero_shot import TEMPLATES, classifier_weights, prompts, unit_rows
from clip_model.inference import Encoder


def test_every_template_has_one_gap_and_none_comes_twice():
    assert 10 <= len(TEMPLATES) <= 20
    assert all(template.count("{}") == 1 for template in TEMPLATES)
    assert len(set(TEMPLATES)) == len(TEMPLATES)


def test_prompts_put_the_name_into_each_template():
    assert prompts("dog", ["{}", "a {} on a {}"]) == ["dog", "a dog on a dog"]
    assert prompts("{} and {0}", ["a {}"]) == ["a {} and {0}"], "a name with braces is only a name"


@pytest.mark.parametrize(("templates", "message"), [([], "at least one template"), (["a dog"], "got 'a dog'")])
def test_templates_without_a_gap_are_refused(templates, message):
    with pytest.raises(ValueError, match=message):
        prompts("cat", templates)


def test_a_class_is_the_mean_direction_of_its_sentences():
    vectors = {"a": [3, 0], "the a": [0, 5], "b": [-2, 0], "the b": [-7, 0]}  # lengths do not matter
    weights = classifier_weights(lambda texts: [vectors[t] for t in texts], ["a", "b"], ["{}", "the {}"])
    assert weights.dtype == np.float32
    assert weights == pytest.approx(np.array([[0.5**0.5, 0.5**0.5], [-1, 0]]), abs=1e-6)


def test_sentences_that_cancel_out_are_refused():
    with pytest.raises(ValueError, match="no direction"):
        classifier_weights(lambda texts: [[1, 0], [-1, 0]], ["a"], ["{}", "the {}"])


def test_no_class_is_refused():
    with pytest.raises(ValueError, match="at least one class"):
        classifier_weights(lambda texts: [], [])


def test_an_encoder_makes_a_classifier(model):
    encoder = Encoder(model, device="cpu", precision="fp32")
    weights = classifier_weights(encoder.encode_texts, ["dog", "cat", "house"])
    assert weights.shape == (3, encoder.dim)
    assert np.linalg.norm(weights, axis=1) == pytest.approx(np.ones(3), abs=1e-6)


@pytest.mark.parametrize("value", [0, np.nan, np.inf])
def test_rows_without_a_direction_are_named(value):
    rows = np.ones((4, 2))
    rows[2] = value
    with pytest.raises(ValueError, match="row 2 of the features"):
        unit_rows(rows)
