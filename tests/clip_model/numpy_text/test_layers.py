"""The layers in NumPy, against torch's."""

import numpy as np
import torch

from clip_model.numpy_text.layers import gelu, quick_gelu, unit

X = np.concatenate([np.linspace(-9, 9, 20_001), [-1e4, -200, 200, 1e4]]).astype(np.float32)


def test_the_exact_gelu_is_exact_to_two_millionths():
    np.testing.assert_allclose(gelu(X), torch.nn.functional.gelu(torch.from_numpy(X)), atol=2e-6, rtol=1e-6)


def test_the_quick_gelu_is_openais():
    wanted = torch.from_numpy(X) * torch.sigmoid(1.702 * torch.from_numpy(X))
    np.testing.assert_allclose(quick_gelu(X), wanted, atol=1e-6, rtol=1e-5)


def test_a_zero_row_stays_one():
    np.testing.assert_allclose(unit(np.array([[3, 4], [0, 0]], dtype=np.float32)), [[0.6, 0.8], [0, 0]], atol=1e-7)
