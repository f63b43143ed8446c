import numpy as np
import pytest

from clip_model.evaluation import metrics
from clip_model.evaluation.metrics import linear_probe, recalls, top_k_accuracy

ONES = np.eye(4, dtype=np.float32)
FOUR = np.arange(4)


def scores(*rows):
    return np.array(rows, dtype=np.float32)


def recall_at_k(queries, items, owners, groups, k):
    return recalls(queries, items, owners, groups, (k,))[k]


def test_recall_on_a_matrix_made_by_hand():
    # Query i asks for item i; its place among the four is 1st, 2nd, 4th, 3rd.
    table = scores([9, 1, 1, 1], [5, 4, 3, 2], [3, 2, 0, 1], [2, 8, 9, 3])
    found = [recall_at_k(table, ONES, FOUR, FOUR, k) for k in (1, 2, 3, 4)]
    assert found == [0.25, 0.5, 0.75, 1.0]


def test_one_of_several_right_items_is_enough():
    table = scores([1, 9, 5, 0], [9, 8, 1, 2])
    owners, groups = np.array([0, 1]), np.array([0, 0, 1, 1])
    assert recall_at_k(table, ONES, owners, groups, 1) == 0.5
    assert recall_at_k(table, ONES, owners, groups, 3) == 1.0


def test_ties_count_against_the_model():
    same = np.ones((4, 4), dtype=np.float32)
    assert [recall_at_k(same, ONES, FOUR, FOUR, k) for k in (1, 3, 4)] == [0, 0, 1]
    assert top_k_accuracy(scores([1, 1, 0]), np.array([0]), 1) == 0
    assert top_k_accuracy(scores([1, 1, 0]), np.array([0]), 2) == 1


def test_a_tie_among_right_items_costs_nothing():
    assert recall_at_k(scores([5, 5, 1, 0]), ONES, np.array([0]), np.array([0, 0, 1, 1]), 1) == 1


def test_many_queries_are_ranked_in_parts():
    draw = np.random.default_rng(0)
    items = draw.normal(size=(50, 8)).astype(np.float32)
    owners = np.arange(3000) % 50
    queries = items[owners] + draw.normal(size=(3000, 8)).astype(np.float32)
    similarities = queries @ items.T
    order = np.argsort(-similarities, axis=1)
    expected = np.mean([owners[i] in order[i, :5] for i in range(3000)])
    assert 0.2 < expected < 0.95
    assert recall_at_k(queries, items, owners, np.arange(50), 5) == pytest.approx(expected)


def test_accuracy_on_a_matrix_made_by_hand():
    table, labels = scores([3, 2, 1], [3, 2, 1], [3, 2, 1]), np.array([0, 1, 2])
    assert [top_k_accuracy(table, labels, k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(value):
    with pytest.raises(ValueError, match="not finite"):
        top_k_accuracy(scores([1, value]), np.array([0]), 1)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_class_is_refused(label):
    with pytest.raises(ValueError, match="row 1 has no right answer"):
        top_k_accuracy(scores([1, 2, 3], [1, 2, 3]), np.array([0, label]), 1)


def test_a_k_of_nothing_and_no_queries_are_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        recall_at_k(ONES, ONES, FOUR, FOUR, 0)
    with pytest.raises(ValueError, match="at least one query"):
        recall_at_k(ONES[:0], ONES, FOUR[:0], FOUR, 1)
    with pytest.raises(ValueError, match="at least one row"):
        top_k_accuracy(ONES[:0], FOUR[:0], 1)


def clusters(seed, spread):
    draw = np.random.default_rng(seed)
    labels = np.arange(300) % 3
    centres = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    return (centres[labels] + spread * draw.normal(size=(300, 3))).astype(np.float32), labels


def test_a_linear_probe_learns_what_is_linear():
    train, labels = clusters(0, 0.1)
    test, test_labels = clusters(1, 0.1)
    assert linear_probe(train, labels, test, test_labels) == 1
    shuffled = np.random.default_rng(2).permutation(labels)
    assert linear_probe(train, shuffled, test, test_labels) < 0.7


def test_a_heavy_penalty_makes_a_probe_worse():
    (train, labels), (test, test_labels) = clusters(0, 0.4), clusters(1, 0.4)
    loose = linear_probe(train[:200], labels[:200], test, test_labels)
    assert 0.8 < loose < 1
    assert linear_probe(train[:200], np.minimum(labels[:200], 1), test, test_labels, penalty=1e3) < loose


def test_a_probe_has_the_penalty_that_fits_its_own_rows_best():
    # Few rows of many noisy dimensions: with nearly no penalty a probe learns the noise by heart.
    draw = np.random.default_rng(0)
    labels = np.arange(400) % 2
    rows = draw.normal(size=(400, 40)).astype(np.float32)
    rows[:, 0] += 2 * labels - 1
    fitted = (rows[:80], labels[:80])
    chosen = metrics.best_penalty(*fitted)
    assert chosen > 1e-3
    swept = linear_probe(*fitted, rows[80:], labels[80:])
    assert swept == linear_probe(*fitted, rows[80:], labels[80:], penalty=chosen)
    assert swept > linear_probe(*fitted, rows[80:], labels[80:], penalty=metrics._PENALTY)


def newton(rows, labels, classes, penalty):
    """Weights and offsets (classes, d + 1) of the least mean cross-entropy and penalty, by Newton's method."""
    x, truth = np.c_[rows, np.ones(len(rows))].astype(float), np.eye(classes)[labels]
    weight, ridge = np.zeros((classes, x.shape[1])), np.tile([*[2 * penalty] * rows.shape[1], 0.0], classes)
    for _ in range(30):
        likely = np.exp(x @ weight.T - (x @ weight.T).max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        slope = ((likely - truth).T @ x / len(x)).ravel() + ridge * weight.ravel()
        curve = [
            [(x.T * (likely[:, i] * ((i == j) - likely[:, j]))) @ x / len(x) for j in range(classes)]
            for i in range(classes)
        ]
        weight -= (np.linalg.pinv(np.block(curve) + np.diag(ridge)) @ slope).reshape(weight.shape)
    assert np.abs(slope).max() < 1e-9
    return weight


@pytest.mark.parametrize("penalty", [1e-4, 1e-2, 0.3])
def test_a_probe_is_the_regression_that_newtons_method_finds(penalty):
    draw = np.random.default_rng(2)
    labels = draw.integers(0, 3, 400)
    rows = (draw.normal(size=(3, 6))[labels] + 1.5 * draw.normal(size=(400, 6))).astype(np.float32)
    weight = newton(rows[:200], labels[:200], 3, penalty)
    guessed = (np.c_[rows[200:], np.ones(200)] @ weight.T).argmax(axis=1)
    share = linear_probe(rows[:200], labels[:200], rows[200:], labels[200:], penalty=penalty)
    assert 0.5 < share < 0.95
    assert share == pytest.approx((guessed == labels[200:]).mean(), abs=1 / 200)


def test_a_probe_without_rows_is_refused():
    with pytest.raises(ValueError, match="got 4 and 0"):
        linear_probe(ONES, FOUR, ONES[:0], FOUR[:0])


def test_many_recalls_are_ranked_once(monkeypatch):
    calls = []
    ranks = metrics._ranks
    monkeypatch.setattr(metrics, "_ranks", lambda *scores: calls.append(1) or ranks(*scores))
    rows, numbers = np.eye(4, dtype=np.float32), np.arange(4)
    assert recalls(rows, rows[::-1].copy(), numbers, numbers, (1, 2, 4)) == {1: 0.0, 2: 0.0, 4: 1.0}
    assert len(calls) == 1
