"""Train the demo BERT, which tells a character's category from its Unicode name.

Writes the model, its tokenizer and its data into recipes/demo.
"""

import random
import re
import sys
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import WordPieceTrainer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertForSequenceClassification, logging

SEED = 0
EPOCHS = 16
BATCH = 64
MAX_LENGTH = 32
VOCABULARY = 2000
TEST_SIZE = 1500
CATEGORY_MIN = 60
CATEGORY_MAX = 2000
UNICODE_VERSION = "14.0.0"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
DEMO = Path(__file__).resolve().parents[2] / "recipes" / "demo"

Row = tuple[str, int]


class NamesClassifier(nn.Module):
    """Logits [N, classes] of token ids, mask and segments, each int64 [N, length]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        config = BertConfig(
            vocab_size=VOCABULARY,
            hidden_size=128,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=512,
            max_position_embeddings=64,
            num_labels=classes,
            attn_implementation="eager",
        )
        self.bert = BertForSequenceClassification(config)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        return self.bert(input_ids, attention_mask, token_type_ids).logits


def own_names() -> Iterator[tuple[str, str]]:
    """Yield name and category of each character whose name is more than a number.

    Names made of the code point and Hangul syllables are left out; of names that differ only in
    a number, such as VARIATION SELECTOR-17, the first one is taken.
    """
    seen = set()
    for code in range(sys.maxunicode + 1):
        name = unicodedata.name(chr(code), "")
        template = re.sub(r"\d+", "#", name)
        is_computed = name.startswith("HANGUL SYLLABLE ") or name.endswith(f"-{code:04X}")
        if name and not is_computed and template not in seen:
            seen.add(template)
            yield name, unicodedata.category(chr(code))


def read_rows() -> tuple[list[Row], list[str]]:
    """Return shuffled rows of name and class index, and the category of each class."""
    names = defaultdict(list)
    for name, category in own_names():
        names[category].append(name)
    labels = sorted(category for category, found in names.items() if len(found) >= CATEGORY_MIN)
    shuffle = random.Random(SEED)
    rows = [
        (name, index)
        for index, category in enumerate(labels)
        for name in shuffle.sample(names[category], min(CATEGORY_MAX, len(names[category])))
    ]
    shuffle.shuffle(rows)
    return rows, labels


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write one `name<TAB>class index` line per row."""
    path.write_text("".join(f"{name}\t{label}\n" for name, label in rows), encoding="utf-8")


def columns(rows: Iterable[Row]) -> tuple[list[str], np.ndarray]:
    """Return the names and the class indices, int64 [N], of rows."""
    names, labels = zip(*rows, strict=True)
    return list(names), np.array(labels, dtype=np.int64)


def train_vocabulary(names: list[str]) -> dict[str, int]:
    """Return the WordPiece vocabulary of the names, the same one in every run.

    The trainer numbers the letters inside words (`##a`) as it meets them, in the order of a random
    hash, and breaks ties by number. So they are handed to it in sorted order, as special tokens.
    """
    tokenizer = bare_tokenizer({})
    letters = [f"##{letter}" for letter in sorted(set("".join(names).lower()) - set(" -()"))]
    trainer = WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=[*SPECIAL, *letters], show_progress=False
    )
    tokenizer.train_from_iterator(names, trainer)
    return tokenizer.get_vocab()


def bare_tokenizer(vocabulary: dict[str, int]) -> Tokenizer:
    """Return a lower-casing WordPiece tokenizer that adds nothing to the text."""
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def train_tokenizer(names: list[str]) -> Tokenizer:
    """Return a lower-casing WordPiece tokenizer that adds [CLS] and [SEP]."""
    tokenizer = bare_tokenizer(train_vocabulary(names))
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, SPECIAL.index(token)) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def encode(tokenizer: Tokenizer, names: list[str]) -> tuple[Tensor, Tensor, Tensor]:
    """Return ids, mask and segments, int64 [N, MAX_LENGTH], cut and padded with [PAD]."""
    tokenizer.enable_truncation(MAX_LENGTH)
    tokenizer.enable_padding(length=MAX_LENGTH)
    encoded = tokenizer.encode_batch(names)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    fields = ("ids", "attention_mask", "type_ids")
    ids, mask, segments = (torch.tensor([getattr(e, f) for e in encoded]) for f in fields)
    return ids, mask, segments


def batches_by_length(lengths: Tensor) -> list[Tensor]:
    """Return row numbers in random batches of rows of about the same length."""
    batches = (lengths + 3 * torch.rand(len(lengths))).argsort().split(BATCH)
    return [batches[i] for i in torch.randperm(len(batches)).tolist()]


def train(inputs: tuple[Tensor, Tensor, Tensor], y: Tensor, classes: int) -> NamesClassifier:
    """Return the classifier after EPOCHS passes with a one-cycle learning rate.

    A batch is cut to its longest name: the mask makes padding without effect.
    """
    net = NamesClassifier(classes)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    total_steps = EPOCHS * -(-len(y) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=total_steps)
    lengths = inputs[1].sum(1)
    net.train()
    for epoch in range(EPOCHS):
        for rows in batches_by_length(lengths):
            length = int(lengths[rows].max())
            logits = net(*(x[rows, :length] for x in inputs))
            loss = functional.cross_entropy(logits, y[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}, loss {loss.item():.3f}", file=sys.stderr)
    return net.eval()


def export(net: NamesClassifier, path: Path) -> None:
    """Write the classifier as OpenVINO IR in f32 with dynamic batch and length."""
    example = {
        name: torch.ones(2, 8, dtype=torch.int64)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    model = ov.convert_model(net, example_input=example)
    for port, name in zip(model.inputs, example, strict=True):
        port.get_node().set_partial_shape(ov.PartialShape([-1, -1]))
        port.get_node().set_friendly_name(name)
        port.set_names({name})
    model.output(0).set_names({"logits"})
    model.validate_nodes_and_infer_types()
    model.set_friendly_name(path.stem)
    ov.save_model(model, path, compress_to_fp16=False)


def torch_guesses(net: NamesClassifier, inputs: tuple[Tensor, Tensor, Tensor]) -> np.ndarray:
    """Return the most likely class of each row."""
    with torch.no_grad():
        batches = zip(*(x.split(100) for x in inputs), strict=True)
        return torch.cat([net(*batch).argmax(1) for batch in batches]).numpy()


def openvino_guesses(path: Path, inputs: tuple[Tensor, Tensor, Tensor]) -> np.ndarray:
    """Return the class of each row from the saved model, run in f32 with batch 1."""
    compiled = ov.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    rows = zip(*(x.numpy()[:, None] for x in inputs), strict=True)
    guesses = []
    for ids, mask, segments in rows:
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
        guesses.append(compiled(feed)["logits"].argmax())
    return np.array(guesses)


def write_data(train_rows: list[Row], test_rows: list[Row], labels: list[str]) -> None:
    """Write both splits and the category of each class index."""
    write_rows(DEMO / "names_train.tsv", train_rows)
    write_rows(DEMO / "names_test.tsv", test_rows)
    text = "".join(f"{label}\n" for label in labels)
    (DEMO / "names_labels.txt").write_text(text, encoding="utf-8")
    print(f"{len(train_rows)} training names, {len(test_rows)} test names, {len(labels)} classes")


def prepare() -> None:
    """Check the Unicode version, fix seed and threads, and silence the tracer's advice."""
    if unicodedata.unidata_version != UNICODE_VERSION:
        sys.exit(f"Unicode {unicodedata.unidata_version} found; expected {UNICODE_VERSION}")
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    logging.set_verbosity_error()
    warnings.filterwarnings("ignore", module="transformers")


def main() -> None:
    prepare()
    rows, labels = read_rows()
    test_rows, train_rows = rows[:TEST_SIZE], rows[TEST_SIZE:]
    write_data(train_rows, test_rows, labels)
    names, y = columns(train_rows)
    tokenizer = train_tokenizer(names)
    tokenizer.save(str(DEMO / "tokenizer.json"))
    net = train(encode(tokenizer, names), torch.from_numpy(y), len(labels))
    path = DEMO / "bert_names.xml"
    export(net, path)
    test_names, test_y = columns(test_rows)
    inputs = encode(tokenizer, test_names)
    print(f"torch test accuracy     {np.mean(torch_guesses(net, inputs) == test_y):.4f}")
    print(f"openvino test accuracy  {np.mean(openvino_guesses(path, inputs) == test_y):.4f}")


if __name__ == "__main__":
    main()
