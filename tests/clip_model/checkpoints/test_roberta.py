"""Models of open_clip with a RoBERTa for texts: its features and token ids, with small random models."""

import json

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from clip_model.checkpoint import load_model, save_model
from clip_model.checkpoints import roberta
from clip_model.checkpoints.exporting import export
from clip_model.checkpoints.open_clip import read_config
from clip_model.config import CLIPConfig, TextConfig
from clip_model.inference import Encoder
from clip_model.model import CLIP
from clip_model.numpy_text.text_encoder import open_text_encoder
from clip_model.preprocessing.pieces import PieceTokenizer
from clip_model.preprocessing.tokenizers import tokenizer_of
from clip_model.registry import resolve
from tests.clip_model.checkpoints.roberta_folders import (
    HEADS,
    LAYERS,
    VOCABULARY,
    WIDTH,
    byte_pairs,
    reference,
    save_folder,
    save_network,
    text_cfg,
    unigrams,
)
from tests.clip_model.open_clip_reference import open_clip, transformers
from tests.clip_model.tiny_models import CONFIGS, random_clip

SAID = ["a", "two dogs on a beach at sunset", "", "word " * 90, "ein Hund &amp; eine Katze", "写真 №5", "<mask> Dogs"]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A small network by the only name that open_clip asks no hub for, a folder's; known for as long as these tests."""
    patch = pytest.MonkeyPatch()
    name = save_network(tmp_path_factory.mktemp("networks") / "small")
    small = roberta.Network(VOCABULARY, WIDTH, HEADS, LAYERS)
    patch.setattr(roberta, "NETWORKS", {name: small, **roberta.NETWORKS})
    yield name
    patch.undo()


@pytest.fixture
def load(tmp_path):
    return lambda path: load_model(resolve(path, models=tmp_path / "models").path)


@pytest.fixture
def folder(network, tmp_path):
    said = text_cfg(network)
    return save_folder(tmp_path / "folder", reference(said), said)


def assert_close(got, expected):
    assert got.shape == expected.shape
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()


def assert_same_features(ours, theirs):
    generator = torch.Generator().manual_seed(3)
    with torch.inference_mode():
        for count, length in ((1, 77), (3, 1), (5, 7), (7, 40)):
            pixels = torch.randn(count, 3, 32, 32, generator=generator)
            assert_close(ours.encode_image(pixels), theirs.encode_image(pixels))
            tokens = torch.randint(2, VOCABULARY, (count, length), generator=generator)
            for row, text in enumerate(tokens):
                text[1 + row * length // count :] = 1  # padding
            assert_close(ours.encode_text(tokens), theirs.encode_text(tokens))
            tokens[:, length // 2] = 1  # within a text too
            tokens[:, 0] = 0
            assert_close(ours.encode_text(tokens), theirs.encode_text(tokens))


@pytest.mark.parametrize("pooler", ["mean_pooler", "cls_pooler", "cls_last_hidden_state_pooler"])
@pytest.mark.parametrize("projection", ["mlp", "linear"])
@pytest.mark.parametrize("quick", [False, True])
def test_a_folder_gives_the_same_features(network, tmp_path, load, pooler, projection, quick):
    said = text_cfg(network, pooler, projection)
    theirs = reference(said, quick_gelu=quick)
    ours = load(save_folder(tmp_path / "folder", theirs, said, quick_gelu=quick))
    assert_same_features(ours, theirs)


def test_an_english_roberta_is_the_same_network(network, tmp_path, load):
    said = text_cfg(network)
    theirs = reference(text_cfg(save_network(tmp_path / "english", "roberta")))
    ours = load(save_folder(tmp_path / "folder", theirs, said, tokenizer=byte_pairs()))
    assert_same_features(ours, theirs)


def test_what_is_not_said_is_as_open_clip_has_it(network, tmp_path, load):
    said = {"hf_model_name": network, "hf_tokenizer_name": network}
    theirs = reference({**said, "hf_model_pretrained": False})
    assert_same_features(load(save_folder(tmp_path / "folder", theirs, said)), theirs)


def test_the_keys_that_open_clip_had_before_are_understood(network, tmp_path, load):
    """As in the configurations of when LAION's were published."""
    theirs = reference(text_cfg(network, "cls_pooler", "linear"))
    before = {"hf_model_name": network, "hf_tokenizer_name": network, "proj": "linear", "pooler_type": "cls_pooler"}
    assert_same_features(load(save_folder(tmp_path / "folder", theirs, before)), theirs)


def test_numbers_of_positions_in_older_files_are_passed_over(folder, load):
    path = folder / "open_clip_model.safetensors"
    counting = {"text.transformer.embeddings.position_ids": torch.arange(514)[None]}
    save_file({**load_file(path), **counting}, path)
    load(folder)
    save_file({**load_file(path), "text.transformer.embeddings.position_ids": torch.ones(1, 514)}, path)
    with pytest.raises(ValueError, match=r"1 unknown \(text.transformer.embeddings.position_ids\)"):
        load(folder)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    """Ours and open_clip's of both kinds."""
    transformers()
    both = {}
    for name, made in (("unigrams", unigrams()), ("byte pairs", byte_pairs())):
        folder = tmp_path_factory.mktemp("tokenizer")
        made.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps(dict(roberta.TOKENIZER_CONFIG)))
        carried = roberta.envelope(json.loads(made.to_str()), clean="whitespace", pad=1, end=2, start=0)
        theirs = open_clip().tokenizer.HFTokenizer(str(folder), context_length=16)
        both[name] = (PieceTokenizer(carried, 16, VOCABULARY), theirs)
    return both


texts = (
    st.text(max_size=40)
    | st.text("abcDE  .,_é犬\n\t▁<>/&;ﬁ", max_size=40)
    | st.lists(st.sampled_from(["Two", " dogs", "<pad>", "</s>", "<mask>", "<unk>", " ", "&amp;lt;"])).map("".join)
)


@given(text=texts)
@example(text="word " * 40)
@example(text="")
@example(text="a <mask> b<pad>c</s>")
def test_token_ids_are_those_of_open_clip(tokenizers, text):
    for mine, theirs in tokenizers.values():
        whole = text.encode("utf-8", "replace").decode("utf-8")
        assert mine.ids([text]).tolist() == theirs([whole]).tolist()


def test_the_encoder_runs_it_and_short_texts_do_not_pay_for_long_ones(folder, load, tmp_path):
    ours, seen = load(folder), []
    encoder = Encoder(ours, device="cpu", precision="fp32", batch_size=2)
    encoder._model.roberta_text.ln_embedding.register_forward_hook(lambda _, given, __: seen.append(given[0].shape[1]))
    got = torch.from_numpy(encoder.encode_texts(["a", "word " * 90, "b", "beach " * 90]))
    assert seen[0] < 10 < seen[1] == 77
    tokens = tokenizer_of(ours.config.text, ours.tokenizer_data)(["a", "word " * 90, "b", "beach " * 90])
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(ours.encode_text(tokens), dim=1)
    assert (got - expected).abs().max() < 1e-5
    short = Encoder(ours, device="cpu", precision="bf16").encode_texts(["a", "word " * 90, "b", "beach " * 90])
    assert (torch.from_numpy(short) * expected).sum(dim=1).min() > 0.995
    assert open_text_encoder(resolve(folder, models=tmp_path / "models").path) is None  # a cold search loads torch


@pytest.mark.parametrize("pooler", ["mean_pooler", "cls_pooler"])
def test_a_saved_model_is_the_same_and_open_clip_loads_the_export(network, tmp_path, load, pooler):
    said = text_cfg(network, pooler, "linear" if pooler == "cls_pooler" else "mlp")
    theirs = reference(said)
    folder = save_folder(tmp_path / "folder", theirs, said)
    ours = load(folder)
    save_model(ours, tmp_path / "saved.safetensors")
    again = load_model(tmp_path / "saved.safetensors")
    assert (again.config, again.tokenizer_data) == (ours.config, ours.tokenizer_data)
    assert_same_features(again, theirs)

    export(resolve(folder, models=tmp_path / "models").path, tmp_path / "out", "openclip")
    loaded, _ = open_clip().create_model_from_pretrained(f"local-dir:{tmp_path / 'out'}")
    assert_same_features(ours, loaded.eval())
    tokens = open_clip().get_tokenizer(f"local-dir:{tmp_path / 'out'}")(SAID)
    assert torch.equal(tokens, tokenizer_of(ours.config.text, ours.tokenizer_data)(SAID))
    back = [resolve(path, models=tmp_path / "models").fingerprint for path in (folder, tmp_path / "out")]
    assert back[0] == back[1]


def test_an_export_needs_a_name_for_the_network(network, tmp_path):
    config = CLIPConfig(24, CONFIGS["vit"].vision, TextConfig(77, 300, 32, 2, 2, kind="roberta-mean"))
    model = random_clip(config)
    said = json.loads(unigrams().to_str())
    model.tokenizer_data = roberta.envelope(said, clean="whitespace", pad=1, end=2, start=0)
    save_model(model, tmp_path / "mine.safetensors")
    with pytest.raises(ValueError, match="no text tower of Hugging Face that has a name has the sizes"):
        export(tmp_path / "mine.safetensors", tmp_path / "out", "openclip")
    with pytest.raises(ValueError, match="no place for a text tower of the kind 'roberta-mean'"):
        export(tmp_path / "mine.safetensors", tmp_path / "other", "huggingface")


@pytest.mark.parametrize("name", ["xlm-roberta-base-ViT-B-32", "xlm-roberta-large-ViT-H-14", "roberta-ViT-B-32"])
def test_the_published_ones_have_the_networks_that_open_clip_says(name, tmp_path):
    """Sizes alone: nothing of a network is drawn or kept."""
    model = open_clip().get_model_config(name)
    config = read_config({"model_cfg": model}, tmp_path)
    text, network = config.text, transformers().XLMRobertaConfig(
        vocab_size=config.text.vocab_size, hidden_size=config.text.width, num_hidden_layers=config.text.layers,
        num_attention_heads=config.text.heads, intermediate_size=4 * config.text.width,
        max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5,
    )  # fmt: skip
    with torch.device("meta"):
        ours = CLIP(config).roberta_text
        theirs = transformers().XLMRobertaModel(network, add_pooling_layer=False)
    mine = sum(value.numel() for key, value in ours.named_parameters() if not key.startswith("proj"))
    assert mine == sum(value.numel() for value in theirs.parameters())
    assert (text.context_length, text.hidden) == (77, (text.width + config.embed_dim) // 2)


def in_text(**change):
    def apply(folder):
        path = folder / "open_clip_config.json"
        said = json.loads(path.read_text())
        said["model_cfg"]["text_cfg"].update(change)
        path.write_text(json.dumps(said))

    return apply


def in_tokenizer(change):
    def apply(folder):
        said = json.loads((folder / "tokenizer.json").read_text())
        change(said)
        (folder / "tokenizer.json").write_text(json.dumps(said))

    return apply


def in_weights(change):
    def apply(folder):
        state = load_file(folder / "open_clip_model.safetensors")
        change(state)
        save_file(state, folder / "open_clip_model.safetensors")

    return apply


EMBEDDINGS, LAYER = "text.transformer.embeddings", "text.transformer.encoder.layer.1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_text(hf_model_name="google/mt5-base"), "hf_model_name is 'google/mt5-base'; of Hugging Face's text towers"),
        (in_text(hf_model_name="facebook/nllb-200-distilled-600M"), "roberta-base, roberta-large, xlm-roberta-base"),
        (in_text(hf_model_name="bert-base-uncased"), "hf_model_name is 'bert-base-uncased'"),
        (in_text(hf_model_name=["roberta-base"]), r"hf_model_name is \['roberta-base'\]"),
        (in_text(hf_tokenizer_name="roberta-base"), "hf_tokenizer_name is 'roberta-base'; the text tower's own"),
        (in_text(hf_tokenizer_name=["x"]), "hf_tokenizer_name is"),
        (in_text(hf_pooler_type="max_pooler"), "hf_pooler_type is 'max_pooler'; mean_pooler, cls_pooler"),
        (in_text(hf_pooler_type=[]), r"hf_pooler_type is \[\]; mean_pooler, cls_pooler"),
        (in_text(context_length=2), "context_length is 2; a text takes 3 at least"),
        (in_text(hf_proj_type="none"), "hf_proj_type is 'none'; mlp, linear are known"),
        (in_text(tokenizer_mode="clips"), "tokenizer_mode is 'clips'; picsift has no network"),
        (in_text(tokenizer_kwargs={"strip_sep_token": True}), "tokenizer_kwargs is"),
        (in_text(width=32), "width is 32; picsift does not know what that means"),
        (in_text(context_length=600), "a RoBERTa has 512 positions, and the context length is 600"),
        (in_text(hf_model_name="xlm-roberta-base", hf_tokenizer_name="xlm-roberta-base"), "has 2 blocks, that says 12"),
        (in_text(hf_pooler_type="cls_pooler"), r"2 tensors missing \(roberta_text.pooler.bias, roberta_text.pooler"),
        (in_text(hf_proj_type="linear"), r"1 tensor missing \(roberta_text.proj.weight\)"),
        (in_tokenizer(lambda t: t.pop("model")), "cannot be read by the library"),
        (in_tokenizer(lambda t: t["model"].update(unk_id=None)), "its tokenizer cannot encode a text: "),
        (lambda folder: unigrams_without("<pad>").save(str(folder / "tokenizer.json")), "is no RoBERTa's: <s>, </s>"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "is not a JSON object"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "lacks tokenizer.json: a text tower of Hugging Face"),
        (in_weights(lambda s: s.pop(f"{LAYER}.attention.self.key.bias")), "lack self_attn.k_proj"),
        (in_weights(lambda s: s.pop(f"{LAYER}.output.dense.bias")), r"missing \(roberta_text.blocks.1.mlp.c_proj.bias"),
        (in_weights(lambda s: s.update({f"{LAYER}.spare.weight": torch.zeros(3)})), "1 unknown"),
        (in_weights(lambda s: s.update({"text.spare": torch.zeros(3)})), r"1 unknown \(text.spare\)"),
        (in_weights(lambda s: s["text.proj.0.weight"].fill_(torch.nan)), "are not finite"),
        (
            in_weights(lambda s: s.update({f"{EMBEDDINGS}.token_type_embeddings.weight": torch.zeros(2, 32)})),
            r"type_embedding: expected \(32,\), got \(2, 32\)",
        ),
    ],
)  # fmt: skip
def test_what_it_cannot_be_is_named(folder, load, change, message, tmp_path):
    change(folder)
    with pytest.raises(ValueError, match=message):
        load(folder)
    assert not list((tmp_path / "models").glob("*.safetensors"))


def unigrams_without(token):
    said = json.loads(unigrams().to_str())
    said["added_tokens"] = [each for each in said["added_tokens"] if each["content"] != token]
    said["model"]["vocab"] = [each for each in said["model"]["vocab"] if each[0] != token]
    said["model"]["unk_id"] -= 1
    for each in said["added_tokens"]:
        each["id"] = next(i for i, (piece, _) in enumerate(said["model"]["vocab"]) if piece == each["content"])
    from tokenizers import Tokenizer

    said["post_processor"] = None
    return Tokenizer.from_str(json.dumps(said))


def test_the_tokenizer_is_part_of_the_model(folder, tmp_path):
    before = resolve(folder, models=tmp_path / "models").fingerprint
    in_tokenizer(lambda said: said["model"]["vocab"][9].__setitem__(1, -1.5))(folder)
    assert resolve(folder, models=tmp_path / "models").fingerprint != before
