"""SigLIP and SigLIP 2: the features, token ids and squares of transformers, with small random models."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from clip_model.checkpoint import load_model, save_model
from clip_model.header import read_header
from clip_model.inference import Encoder
from clip_model.numpy_text.text_encoder import open_text_encoder
from clip_model.preprocessing.pieces import PieceTokenizer, canonical, envelope
from clip_model.preprocessing.tokenizers import tokenizer_of
from clip_model.preprocessing.transforms import ImageTransform
from clip_model.registry import resolve
from clip_model.towers.cells import cell_features
from indexer.embedder import Embedder
from tests.clip_model.checkpoints.siglip_folders import (
    pieces,
    reference,
    save_siglip,
    save_siglip2,
    siglip2_tokenizer,
)
from tests.clip_model.open_clip_reference import transformers


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each, and where they are converted to."""
    top = tmp_path_factory.mktemp("siglip")
    return {"siglip": save_siglip(top / "one"), "siglip2": save_siglip2(top / "two", seed=1), "models": top / "models"}


@pytest.fixture(scope="module")
def ours(folders):
    return {name: load_model(resolve(folders[name], models=folders["models"]).path) for name in ("siglip", "siglip2")}


@pytest.fixture
def folder(folders, tmp_path):
    """A copy of SigLIP's folder, to be changed."""
    for file in folders["siglip"].iterdir():
        (tmp_path / "folder" / file.name).parent.mkdir(exist_ok=True)
        (tmp_path / "folder" / file.name).write_bytes(file.read_bytes())
    return tmp_path / "folder"


def assert_close(got, expected):
    assert got.shape == expected.shape
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize(("name", "seed"), [("siglip", 0), ("siglip2", 1)])
def test_features_are_those_of_transformers(ours, name, seed):
    theirs, mine = reference(seed), ours[name]
    generator = torch.Generator().manual_seed(3)
    with torch.inference_mode():
        for count, length in ((1, 16), (3, 1), (5, 7)):
            pixels = torch.randn(count, 3, 32, 32, generator=generator)
            tokens = torch.randint(0, 700, (count, length), generator=generator)
            assert_close(mine.encode_image(pixels), theirs.get_image_features(pixel_values=pixels).pooler_output)
            assert_close(mine.encode_text(tokens), theirs.get_text_features(input_ids=tokens).pooler_output)
        image, text, scale = mine(pixels, tokens)
        logits = theirs(input_ids=tokens, pixel_values=pixels).logits_per_image
        assert_close(scale * image @ text.T + mine.logit_bias, logits)


def test_a_picture_that_its_patches_do_not_fill_is_seen_as_transformers_sees_it(folder, tmp_path):
    """As siglip-so400m-patch14-384: 27 patches a side, and six pixels that no patch has."""
    in_json("config.json", lambda c: c["vision_config"].update(image_size=38))(folder)
    in_json("preprocessor_config.json", lambda c: c.update(size={"height": 38, "width": 38}))(folder)
    theirs = transformers().SiglipModel.from_pretrained(folder).eval()
    ours = load_model(resolve(folder, models=tmp_path / "models").path)
    pixels = torch.randn(3, 3, 38, 38, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        assert_close(ours.encode_image(pixels), theirs.get_image_features(pixel_values=pixels).pooler_output)
        assert cell_features(ours.visual, pixels).shape == (3, 4, 4, 32)


def test_the_squares_are_those_of_transformers(ours):
    processors = {
        "siglip": transformers().SiglipImageProcessorPil(size={"height": 32, "width": 32}, resample=3),
        "siglip2": transformers().SiglipImageProcessorPil(size={"height": 32, "width": 32}, resample=2),
    }
    rng = np.random.default_rng(0)
    for size in ((40, 60), (300, 11), (1, 50), (32, 32), (7, 7), (500, 400)):
        picture = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        for shown in (picture, picture.convert("L"), picture.convert("P"), picture.convert("CMYK")):
            for name, processor in processors.items():
                v = ours[name].config.vision
                got = ImageTransform(32, v.mean, v.std, v.resize)(shown)
                expected = processor(images=shown, return_tensors="pt").pixel_values[0]
                assert torch.allclose(got, expected, atol=1e-6), (size, shown.mode, name)


texts = (
    st.text(max_size=40) | st.text("abcDE  .,_é犬\n\t▁<>/", max_size=40) | st.sampled_from(["Two dogs", "a <eos> b"])
)


@given(text=texts)
@example(text="<EOS> <pad>a<unk>")
@example(text="Two dogs <eos> on")
@example(text="word " * 40)
@example(text="")
def test_siglip_2s_ids_are_those_of_transformers(ours, text):
    mine = tokenizer_of(ours["siglip2"].config.text, ours["siglip2"].tokenizer_data)
    theirs = siglip2_tokenizer()([text], padding="max_length", truncation=True, max_length=16).input_ids
    assert mine.ids([text]).tolist() == theirs
    assert mine([text]).tolist() == theirs


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  Two\tDOGS,  on_a\nbeach! ", "two dogs ona beach"),
        ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", ""),
        ("\u3000Café\xa0¡Hola! №5", "café ¡hola №5"),
        ("ΑΣ", "ας"),
    ],
)
def test_texts_are_cleaned_as_siglip_was_evaluated(text, cleaned):
    assert canonical(text) == cleaned


@given(text=texts)
@example(text="  Two\tDOGS, on_a beach! ")
@example(text="word " * 40)
def test_siglips_ids_are_those_of_its_pieces(ours, text):
    """transformers' own tokenizer wants sentencepiece, so that the pieces are compared with the library's."""
    mine = tokenizer_of(ours["siglip"].config.text, ours["siglip"].tokenizer_data)
    ids = [*pieces().encode(canonical(text), add_special_tokens=False).ids[:15], 1]
    assert mine.ids(text).tolist() == [ids + [1] * (16 - len(ids))]


@pytest.mark.parametrize("name", ["siglip", "siglip2"])
def test_it_embeds_pictures_and_texts(folders, ours, name):
    """By the whole way: a file name's half a character too."""
    info = resolve(folders[name], models=folders["models"])
    encoder = Encoder(load_model(info.path), device="cpu", precision="fp32")
    said = ["Two dogs!", "", "two dogs on a beach", "odd \udcff"]
    embedded = encoder.encode_texts(said)
    tokens = tokenizer_of(ours[name].config.text, ours[name].tokenizer_data)(said)
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(ours[name].encode_text(tokens), dim=1).numpy()
    assert np.abs(embedded - expected).max() < 1e-5
    embedder = Embedder(str(folders[name]), device="cpu", precision="fp32", converted=folders["models"])
    wide = Image.effect_noise((200, 50), 90).convert("RGB")
    by_prepare = embedder.embed_squares([embedder.prepare(wide)])
    assert np.abs(by_prepare - encoder.encode_images([wide])).max() < 1e-5
    assert open_text_encoder(info.path) is None  # a cold search loads torch
    assert np.abs(embedder.embed_texts(said) - embedded).max() < 1e-6


def test_a_saved_model_carries_its_tokenizer(folders, ours, tmp_path):
    save_model(ours["siglip2"], tmp_path / "saved.safetensors")
    again = load_model(tmp_path / "saved.safetensors")
    assert again.tokenizer_data == ours["siglip2"].tokenizer_data
    assert again.config == ours["siglip2"].config
    learned = sum(parameter.numel() for parameter in again.parameters())
    assert read_header(tmp_path / "saved.safetensors").parameters == learned


def test_the_tokenizer_is_part_of_the_model(folder, folders, tmp_path):
    before = resolve(folder, models=tmp_path / "models").fingerprint
    said = json.loads((folder / "tokenizer.json").read_text())
    said["model"]["vocab"][5][1] -= 1.0
    (folder / "tokenizer.json").write_text(json.dumps(said))
    assert resolve(folder, models=tmp_path / "models").fingerprint != before


def in_json(name, change):
    def apply(folder):
        values = json.loads((folder / name).read_text())
        change(values)
        (folder / name).write_text(json.dumps(values))

    return apply


def in_weights(change):
    def apply(folder):
        state = load_file(folder / "model.safetensors")
        change(state)
        save_file(state, folder / "model.safetensors")

    return apply


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_json("config.json", lambda c: c.update(model_type="siglip2")), "any shape"),
        (in_json("config.json", lambda c: c["text_config"].update(hidden_act="gelu")), "hidden_act is 'gelu'"),
        (in_json("config.json", lambda c: c["vision_config"].update(layer_norm_eps=1e-5)), "layer_norm_eps"),
        (in_json("config.json", lambda c: c["vision_config"].update(vision_use_head=False)), "without its head"),
        (in_json("config.json", lambda c: c["vision_config"].update(num_attention_heads=5)), "cannot be divided"),
        (in_json("config.json", lambda c: c["text_config"].update(projection_size=16)), "projection_size is 16"),
        (in_json("config.json", lambda c: c["text_config"].update(num_hidden_layers=3)), "has 2 blocks, that says 3"),
        (in_json("config.json", lambda c: c["text_config"].update(vocab_size=20)), "vocabulary of 20, its tokenizer"),
        (in_json("preprocessor_config.json", lambda c: c.update(resample=1)), "resample is 1"),
        (in_json("preprocessor_config.json", lambda c: c.update(do_center_crop=True)), "sees the whole picture"),
        (in_json("preprocessor_config.json", lambda c: c.update(size={"shortest_edge": 32})), "both sides become 32"),
        (in_json("tokenizer_config.json", lambda c: c.update(tokenizer_class="LlamaTokenizer")), "are known"),
        (in_json("tokenizer_config.json", lambda c: c.update(do_lower_case=False)), "are lower-cased"),
        (in_json("tokenizer_config.json", lambda c: c.update(eos_token="<end>")), "has no token '<end>'"),
        (in_json("tokenizer.json", lambda c: c.pop("model")), "cannot be read by the library"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "lacks tokenizer.json"),
        (in_weights(lambda s: s.pop("vision_model.head.probe")), r"1 tensor missing \(visual.head.probe\)"),
        (in_weights(lambda s: s.pop("vision_model.encoder.layers.1.self_attn.k_proj.bias")), "lack self_attn.k_proj"),
        (in_weights(lambda s: s.update(spare=torch.zeros(3))), r"1 unknown \(spare\)"),
        (in_weights(lambda s: s.update(logit_bias=torch.ones(2))), r"logit_bias: expected \(\), got \(2,\)"),
        (in_weights(lambda s: s["logit_bias"].fill_(torch.nan)), "logit_bias holds values that are not finite"),
    ],
)  # fmt: skip
def test_what_it_cannot_be_is_named(folder, tmp_path, change, message):
    change(folder)
    with pytest.raises(ValueError, match=message):
        resolve(folder, models=tmp_path / "models")
    assert not list(Path(tmp_path / "models").glob("*.safetensors"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "cannot be read"),
        (b'{"clean": "lower", "pad": 0, "end": 1}', "cannot be read: 'tokenizer'"),
        (b'{"clean": "lower", "pad": 0, "end": 1, "tokenizer": {"model": 7}}', "by the library tokenizers"),
    ],
)
def test_a_damaged_tokenizer_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        PieceTokenizer(data, 16, 700)


def test_ids_that_the_tower_has_not_are_refused():
    tokenizer = json.loads(pieces().to_str())
    for pad, end, clean in ((700, 1, "lower"), (0, -1, "lower"), (0, 1, "upper")):
        with pytest.raises(ValueError, match=r"vocabulary of 700|'upper', which is not known"):
            PieceTokenizer(envelope(tokenizer, clean=clean, pad=pad, end=end), 16, 700)
