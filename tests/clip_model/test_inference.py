import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from clip_model.config import CLIPConfig, TextConfig
from clip_model.inference import CPU_BATCH, Encoder, load_encoder
from clip_model.model import CLIP
from clip_model.preprocessing.squares import CenterSquare
from clip_model.preprocessing.tokenizer import default_tokenizer
from clip_model.preprocessing.transforms import ImageTransform
from tests.clip_model.tiny_models import CONFIGS, random_clip


def pictures(count):
    draw = np.random.default_rng(0)
    return [
        Image.fromarray(draw.integers(0, 256, (20 + 3 * i % 50, 30 + 7 * i % 40, 3), dtype=np.uint8))
        for i in range(count)
    ]


def encoder_of(model, **options):
    return Encoder(model, **{"device": "cpu", "precision": "fp32", **options})


@pytest.fixture
def encoder(model):
    return encoder_of(model)


def test_embeddings_are_the_models_features_at_unit_length(model, encoder):
    images, texts = pictures(5), ["a dog", "", "a red bicycle " * 40]
    pixels = torch.stack([ImageTransform(encoder.image_size)(image) for image in images])
    with torch.inference_mode():
        expected = [model.encode_image(pixels), model.encode_text(default_tokenizer()(texts))]
    for got, features in zip((encoder.encode_images(images), encoder.encode_texts(texts)), expected, strict=True):
        assert got.dtype == np.float32
        assert np.allclose(np.linalg.norm(got, axis=1), 1, atol=1e-6)
        assert np.allclose(got, torch.nn.functional.normalize(features).numpy(), atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, CPU_BATCH - 1, CPU_BATCH, CPU_BATCH + 1, 2 * CPU_BATCH + 3])
def test_batches_keep_the_order_and_change_nothing(count):
    model = random_clip(CONFIGS["vit"])
    images, texts = pictures(count), [f"photo {i} " * (i % 7) for i in range(count)]
    batched, alone = encoder_of(model), encoder_of(model, batch_size=1)
    for got, expected in (
        (batched.encode_images(images), alone.encode_images(images)),
        (batched.encode_texts(texts), alone.encode_texts(texts)),
        (batched.encode_pixels([batched.preprocess(image) for image in images]), alone.encode_images(images)),
        (batched.encode_squares([CenterSquare(32)(image) for image in images]), alone.encode_images(images)),
    ):
        assert got.shape == expected.shape == (count, 24)
        assert np.allclose(got, expected, atol=1e-5)


def test_equal_texts_are_computed_once(encoder):
    seen = []
    encoder._model.transformer.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    got = encoder.encode_texts(["a", "b", "a", "a", "b"])
    assert seen == [2]
    assert np.array_equal(got[0], got[2])
    assert np.array_equal(got[1], got[4])
    assert not np.allclose(got[0], got[1])


def test_the_first_query_does_not_pay_for_kernels_that_are_made_once(model, monkeypatch):
    seen, encode_text = [], CLIP.encode_text
    monkeypatch.setattr(CLIP, "encode_text", lambda self, tokens: seen.append(len(tokens)) or encode_text(self, tokens))
    encoder_of(model)
    assert seen == [1]


def test_short_texts_do_not_pay_for_long_ones():
    encoder, seen = encoder_of(random_clip(CONFIGS["vit"]), batch_size=2), []
    encoder._model.transformer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[1]))
    encoder.encode_texts(["a", "long " * 100, "b", "words " * 100])
    assert seen == [3, 77]


def test_pixels_may_come_as_tensor_array_or_list(encoder):
    pixels = [encoder.preprocess(image) for image in pictures(3)]
    expected = encoder.encode_pixels(pixels)
    assert np.array_equal(encoder.encode_pixels(torch.stack(pixels)), expected)
    assert np.array_equal(encoder.encode_pixels(torch.stack(pixels).numpy()), expected)
    assert np.array_equal(encoder.encode_pixels([one.numpy() for one in pixels]), expected)


def test_pixels_of_another_size_are_refused(encoder):
    side = encoder.image_size
    with pytest.raises(ValueError, match=rf"expected pixels of shape \(n, 3, {side}, {side}\), got \(2, 3, 20, 20\)"):
        encoder.encode_pixels(torch.zeros(2, 3, 20, 20))


def test_a_picture_is_turned_as_its_exif_says(encoder):
    image = pictures(1)[0]
    turned = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.info["exif"] = exif.tobytes()
    assert np.array_equal(encoder.encode_images([turned]), encoder.encode_images([image]))


def test_one_text_instead_of_a_list_is_refused(encoder):
    with pytest.raises(ValueError, match=r"write \['dog'\]"):
        encoder.encode_texts("dog")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_features_without_a_direction_are_an_error_that_names_the_item(value):
    encoder = encoder_of(random_clip(CONFIGS["vit"]), batch_size=2)
    encoder._model.encode_image = lambda pixels: torch.where(pixels.mean(dim=(1, 2, 3))[:, None] > 5, value, 1.0)
    good, bad = torch.zeros(3, 32, 32), torch.full((3, 32, 32), 9.0)
    with pytest.raises(ValueError, match="image number 3: its features are zero or not finite"):
        encoder.encode_pixels([good, good, good, bad, good])
    encoder.preprocess = lambda image: bad if image.size == (1, 1) else good
    with pytest.raises(ValueError, match="image number 4"):
        encoder.encode_images([Image.new("RGB", size) for size in ((2, 2), (2, 2), (2, 2), (2, 2), (1, 1))])


@pytest.mark.parametrize("others", [3, 60])
def test_a_text_without_a_direction_is_named_by_its_place_among_those_given(model, others):
    encoder, texts = encoder_of(model), [f"{n} dogs on a beach" for n in range(others)]
    tokens = encoder._tokenizer(["bad"])[0]
    encoder._model.encode_text = lambda batch: torch.where((batch == tokens).all(dim=1)[:, None], 0.0, 1.0)
    with pytest.raises(ValueError, match=f"text number {others + 2}: its features"):
        encoder.encode_texts([texts[-1], *texts, texts[0], "bad", "bad"])


@pytest.mark.parametrize("name", CONFIGS)
def test_bfloat16_stays_close_and_gives_float32(name):
    model = random_clip(CONFIGS[name])
    exact, fast = encoder_of(model), encoder_of(model, precision="bf16")
    assert (exact.precision, fast.precision) == ("fp32", "bf16")
    for got, expected in (
        (fast.encode_images(pictures(9)), exact.encode_images(pictures(9))),
        (fast.encode_texts(["a dog", "a cat"]), exact.encode_texts(["a dog", "a cat"])),
    ):
        assert got.dtype == np.float32
        assert np.allclose(np.linalg.norm(got, axis=1), 1, atol=1e-6)
        assert (got * expected).sum(axis=1).min() > 0.995
        assert not np.array_equal(got, expected)


def test_cores_are_shared_for_a_while_and_given_back(encoder):
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with pytest.raises(KeyError), encoder.sharing_cores():
            assert torch.get_num_threads() == 2
            raise KeyError
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(threads)


def test_the_model_that_was_given_stays_as_it_is(model):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    encoder_of(model, precision="bf16").encode_images(pictures(3))
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    after = model.state_dict()
    assert all(torch.equal(after[n], value) and after[n].dtype == value.dtype for n, value in before.items())


def test_many_threads_get_the_answers_of_one(encoder):
    images, texts = [pictures(1 + i) for i in range(8)], [[f"text {i}", "b"] for i in range(8)]
    alone = [(encoder.encode_images(i), encoder.encode_texts(t)) for i, t in zip(images, texts, strict=True)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i, t: (encoder.encode_images(i), encoder.encode_texts(t)), images, texts))
    for (a, b), (c, d) in zip(alone, together, strict=True):
        assert np.allclose(a, c, atol=1e-6)
        assert np.allclose(b, d, atol=1e-6)


def test_only_one_thread_is_in_the_network(encoder):
    inside, most, guard = 0, 0, threading.Lock()
    encode = encoder._model.encode_text

    def watched(tokens):
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        time.sleep(0.01)
        with guard:
            inside -= 1
        return encode(tokens)

    encoder._model.encode_text = watched
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(encoder.encode_texts, [[str(i)] for i in range(8)]))
    assert most == 1


def out_of_memory_above(encoder, limit):
    encode = encoder._model.encode_image

    def limited(pixels):
        if len(pixels) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(pixels)

    encoder._model.encode_image = limited


def test_a_batch_that_does_not_fit_is_halved_and_said_aloud(model, caplog):
    encoder = encoder_of(model, batch_size=16)
    expected = encoder.encode_images(pictures(21))
    out_of_memory_above(encoder, 5)
    assert np.allclose(encoder.encode_images(pictures(21)), expected, atol=1e-5)
    assert encoder.batch_size == 4
    assert [r.levelno for r in caplog.records if "memory" in r.message] == [logging.WARNING] * 2


def test_a_single_item_that_does_not_fit_is_an_error(model):
    encoder = encoder_of(model, batch_size=4)
    out_of_memory_above(encoder, 0)
    with pytest.raises(torch.OutOfMemoryError):
        encoder.encode_images(pictures(3))


def test_another_vocabulary_is_refused():
    config = CLIPConfig(24, CONFIGS["vit"].vision, TextConfig(vocab_size=1000, width=32, heads=4, layers=1))
    with pytest.raises(ValueError, match="vocabulary of 1000, the tokenizer has 49408"):
        Encoder(CLIP(config))


def test_a_shorter_context_is_respected():
    config = CLIPConfig(24, CONFIGS["vit"].vision, TextConfig(context_length=16, width=32, heads=4, layers=1))
    assert encoder_of(CLIP(config)).encode_texts(["many words " * 30]).shape == (1, 24)


def test_loading_by_path_tells_all_about_the_model(tiny_model_path, caplog):
    caplog.set_level(logging.INFO)
    encoder = load_encoder(tiny_model_path)
    assert (encoder.dim, encoder.image_size) == (16, 32)
    assert encoder.name == str(tiny_model_path)
    assert len(encoder.fingerprint) == 64
    assert f"runs on {encoder.device} in {encoder.precision}" in caplog.text
    assert encoder.encode_images(pictures(2)).shape == encoder.encode_texts(["a", "b"]).shape == (2, 16)


@pytest.mark.parametrize("options", [{"device": "abacus"}, {"precision": "int3"}])
def test_unknown_options_are_refused(tiny_model_path, options):
    with pytest.raises(ValueError, match=f"unknown {next(iter(options))}"):
        load_encoder(tiny_model_path, **options)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU that torch can use")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "auto"])
def test_a_gpu_gives_the_cpus_embeddings(model, precision):
    exact, there = encoder_of(model), Encoder(model, device="cuda", precision=precision)
    squares = [CenterSquare(exact.image_size)(image) for image in pictures(9)]
    for got, expected in (
        (there.encode_images(pictures(9)), exact.encode_images(pictures(9))),
        (there.encode_squares(squares), exact.encode_squares(squares)),
        (there.encode_texts(["a dog", "a cat"]), exact.encode_texts(["a dog", "a cat"])),
    ):
        assert (got * expected).sum(axis=1).min() > (0.9999 if precision == "fp32" else 0.995)
