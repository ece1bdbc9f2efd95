"""Files as users have them: other columns, other labels, other separators, and rows with faults."""

import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hs_env.corpora import Corpus, RowFormat, load_corpus
from hs_env.corpora.files import read_rows
from hs_env.corpora.labels import read_label
from hs_env.corpora.spec import add_settings, divide, parse_settings
from hs_env.corpora.texts import read_texts
from hs_env.errors import HsEnvError

STARS = [(f"text number {i}", 1 + i % 5) for i in range(50)]


def write(path: Path, header: str, rows: list[tuple[object, ...]], separator: str = ",", end: str = "\n") -> Path:
    lines = [header, *(separator.join(map(str, row)) for row in rows)]
    path.write_text("".join(line + end for line in lines), encoding="utf-8", newline="")
    return path


def texts(corpus: Corpus) -> set[str]:
    return {" ".join(sentence.words) for split in corpus.splits.values() for sentence in split}


def test_columns_and_names_in_the_spec_are_the_arguments(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "id,review,stars", [(i, *row) for i, row in enumerate(STARS)])
    names = ("awful", "poor", "fair", "good", "great")
    corpus = load_corpus(path, text="review", label="stars", names=names)
    assert corpus.labels == names
    assert corpus == load_corpus(f"{path}:text=review,label=stars,names=awful|poor|fair|good|great")
    assert all(names[int(each.words[2]) % 5] == names[each.label] for each in corpus.splits["train"])
    assert load_corpus(f"{path}:text=review,label=stars").labels == ("1", "2", "3", "4", "5")
    assert load_corpus(f"{path}:text=review", label="stars").labels == ("1", "2", "3", "4", "5")


def test_a_column_that_one_split_lacks_is_none_there(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "text,author,label", [(f"text {i}", "ann", i % 2) for i in range(10)])
    write(tmp_path / "test.csv", "text,label", [(f"text {i}", i % 2) for i in range(20, 24)])
    splits = load_corpus(tmp_path).splits
    assert {each.columns["author"] for each in (*splits["train"], *splits["dev"])} == {"ann"}
    assert {each.columns["author"] for each in splits["test"]} == {None}


def test_columns_that_are_not_chosen_are_kept_for_rewards(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "text,review,stars", [(f"id {i}", *row) for i, row in enumerate(STARS)])
    for sentence in load_corpus(path, text="review", label="stars").splits["train"]:
        assert sentence.columns == {"text": f"id {sentence.words[2]}"}
    for sentence in load_corpus(path, label="stars").splits["train"]:
        assert sentence.columns == {"review": f"text number {sentence.words[1]}"}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("text", ["review", "a,b", "a;b", "Größe %", "a|b/c:d=e"])
def test_any_name_of_a_column(tmp_path: Path, separator: str, text: str) -> None:
    if separator in text:
        return
    path = write(tmp_path / "r.csv", f"{text}{separator}stars", STARS, separator)
    name = add_settings(str(path), RowFormat(text, "stars").to_settings())
    assert divide(name)[0] == path
    assert RowFormat.from_settings(name, parse_settings(name, divide(name)[1])) == RowFormat(text, "stars")
    corpus = load_corpus(name)
    assert len(texts(corpus)) == 50
    words = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}[separator]
    assert corpus.source == f"texts from the column {text!r}, labels from 'stars'; r.csv is separated by {words}"


def test_a_table_as_excel_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    rows = "".join(f'"line one{i}\nline ""two""; {i}";{1 + i % 3},0;{i},5\r\n' for i in range(30))
    path.write_bytes(("\ufeffreview;stars;price;\r\n" + rows.replace("\r\n", ";\r\n")).encode())
    corpus = load_corpus(path, text="review", label="stars")
    assert corpus.labels == ("1", "2", "3")
    assert 'line one7 line " two " ; 7' in texts(corpus)


def test_a_file_without_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", '"1","first, of all"', [(f'"{1 + i % 2}"', f'"text, {i}"') for i in range(20)])
    assert len(texts(load_corpus(path, text="2", label="1"))) == 21
    with pytest.raises(HsEnvError, match=r"line 1: there is no column 'text'; the columns are '1', 'first, of all'"):
        load_corpus(path)
    with pytest.raises(HsEnvError, match="there is no column '3'"):
        load_corpus(path, text="3", label="1")
    named = write(tmp_path / "named.csv", "1,2", [(1 + i % 2, f"text {i}") for i in range(20)])
    assert len(texts(load_corpus(named, text="2", label="1"))) == 20


BAD = ['"",1', "no label,", "one,two,three", '"quote"d,1', "good,1"]


def test_bad_rows_are_skipped_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "text,label", [*STARS, *((row,) for row in BAD)])
    with pytest.raises(HsEnvError, match=r"line 52: the text is empty"):
        load_corpus(path)
    with pytest.warns(UserWarning, match=r"r.csv: 4 of 55 rows were skipped, the first for: .*line 52: the text is em"):
        corpus = load_corpus(f"{path}:skip_bad_rows=yes")
    assert texts(corpus) == {*(text for text, _ in STARS), "good"}
    with pytest.warns(UserWarning, match="4 of 55"):
        assert load_corpus(path, skip_bad_rows=True) == corpus


def test_bad_json_lines_are_skipped(tmp_path: Path) -> None:
    rows = [f'{{"text": "text {i}", "label": {i % 2}}}' for i in range(30)]
    bad = [
        "{",
        "[1]",
        '{"text": "a"}',
        '{"text": "\u200b", "label": 1}',
        '{"text": "a", "label": 1, "boundaries": [0]}',
    ]
    (tmp_path / "r.jsonl").write_text("\n".join([*bad, *rows]), encoding="utf-8")
    with pytest.warns(UserWarning, match="5 of 35 rows"):
        assert len(texts(load_corpus(tmp_path / "r.jsonl", skip_bad_rows=True))) == 30


def test_what_cannot_be_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "text,label", [*STARS, ('"open', 1), *STARS])
    with pytest.raises(HsEnvError, match=r"line 52: .*unclosed quote"):
        load_corpus(path, skip_bad_rows=True)
    with pytest.raises(HsEnvError, match=r"holds no sentences. The first fault: .*line 2: the text is empty"):
        load_corpus(write(tmp_path / "e.csv", "text,label", [("", 1), ("", 2)]), skip_bad_rows=True)
    folder = tmp_path / "folds"
    folder.mkdir()
    write(folder / "all.csv", "text,label", STARS)
    (folder / "folds.json").write_text('{"fold": [0, 1, 2]}')
    with pytest.raises(HsEnvError, match="a fold for every row"):
        load_corpus(folder, skip_bad_rows=True)


def test_long_names(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "text,label", STARS)
    names = tuple("very " * 20 + str(at) for at in range(5))
    assert load_corpus(add_settings(str(path), RowFormat(names=names).to_settings())).labels == names
    assert load_corpus(path, names=names).labels == names


def test_bad_settings(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "text,label", STARS)
    for settings, message in (
        ("names=a|b", "expected 5 names, for the labels '1', '2', '3', '4', '5', got 2"),
        ("text=review", "there is no column 'review'; the columns are 'text', 'label'"),
        ("text=label", "must differ"),
        ("skip_bad_rows=maybe", "must be yes or no, got 'maybe'"),
        ("column=a", "no setting 'column'; its settings: fold, text, label, names, skip_bad_rows"),
        ("label=label,label=text", "the setting 'label' occurs twice"),
        ("label=", "expected settings such as"),
        ("fold=10", "has the folds 0 to 9, got fold 10"),
        ("encoding=utf-16", "an encoding that extends ASCII, such as utf-8, latin-1 or cp1252, got 'utf-16'"),
        ("encoding=latin-x", "got 'latin-x'"),
        ("encoding=hex", "got 'hex'"),
    ):
        with pytest.raises(HsEnvError, match=message):
            load_corpus(f"{path}:{settings}")
    with pytest.raises(HsEnvError, match="has no setting 'text'"):
        load_corpus("phrases", text="review")


def test_an_encoding_in_the_spec_is_the_argument(tmp_path: Path) -> None:
    path = tmp_path / "r.all"
    path.write_bytes("".join(f"{stars} caf\u00e9 {text}\n" for text, stars in STARS).encode("latin-1"))
    corpus = load_corpus(path, encoding="latin-1")
    assert all(sentence.words[0] == "caf\u00e9" for sentence in corpus.splits["train"])
    assert corpus == load_corpus(f"{path}:encoding=latin-1")
    row_format = RowFormat(encoding="latin-1")
    assert RowFormat.from_settings("r.all", row_format.to_settings()) == row_format


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf8", "utf_8"])
def test_a_byte_order_mark_is_no_part_of_a_label(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "r.all"
    path.write_text("".join(f"{stars} {text}\n" for text, stars in STARS), encoding="utf-8-sig")
    corpus = load_corpus(path, encoding=encoding)
    assert (corpus.labels, corpus.splits) == (load_corpus(path).labels, load_corpus(path).splits)
    assert not any("\ufeff" in label for label in corpus.labels)


def test_texts_of_the_layout_of_kim_follow_the_label(tmp_path: Path) -> None:
    path = tmp_path / "r.all"
    path.write_bytes("1\ta good film\n\n0 caf\u00e9\n".encode("latin-1"))
    assert list(read_texts(path, encoding="latin-1")) == ["a good film", "", "caf\u00e9"]
    with pytest.raises(HsEnvError, match=r"line 3: not UTF-8 .*or name its encoding with --encoding"):
        list(read_texts(path))


def test_sentences_of_test_that_train_has_are_counted(tmp_path: Path) -> None:
    rows = [(f"film {i}", i % 2) for i in range(40)]
    for split, part in (("train", rows), ("dev", rows[:10]), ("test", [*rows[:4], ("other", 1)])):
        write(tmp_path / f"{split}.csv", "text,label", part)
    with pytest.warns(UserWarning, match="also training sentences") as caught:
        load_corpus(tmp_path)
    assert [str(each.message).rpartition(": ")[2] for each in caught] == [
        "10 of 10 dev sentences are also training sentences.",
        "4 of 5 test sentences are also training sentences.",
    ]


def test_one_class(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match="every label is '1'; a classifier needs two classes or more"):
        load_corpus(write(tmp_path / "r.csv", "text,label", [(text, 1) for text, _ in STARS]))


def test_a_class_that_dev_and_test_lack_is_named(tmp_path: Path) -> None:
    rows = [("a", "rare"), ("b", "rare"), *((text, "usual") for text, _ in STARS)]
    with pytest.warns(UserWarning, match="dev and test have no sentence of the class 'rare'"):
        load_corpus(write(tmp_path / "r.csv", "text,label", rows))


def test_a_folder_with_folds_and_columns(tmp_path: Path, write_rows: Callable[..., Path]) -> None:
    write(tmp_path / "all.csv", "review;stars", STARS, ";")
    (tmp_path / "folds.json").write_text(f'{{"fold": {[i // 5 % 5 for i in range(50)]}}}')
    corpus = load_corpus(f"{tmp_path}:fold=3,text=review,label=stars")
    assert corpus == load_corpus(tmp_path, fold=3, text="review", label="stars")
    assert corpus.splits["test"][0].words == ("text", "number", "15")


def test_parquet(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    text, label = map(list, zip(*STARS, strict=True))
    table = pyarrow.table({"review": text, "stars": pyarrow.array(label, pyarrow.float64())})
    parquet.write_table(table, tmp_path / "r.parquet")
    corpus = load_corpus(tmp_path / "r.parquet", text="review", label="stars")
    assert (corpus.labels, len(texts(corpus))) == (("1", "2", "3", "4", "5"), 50)
    with pytest.raises(HsEnvError, match="no column 'text'; the columns are 'review', 'stars'"):
        load_corpus(tmp_path / "r.parquet")
    parquet.write_table(pyarrow.table({"text": ["a", None], "label": [1, 2]}), tmp_path / "null.parquet")
    with pytest.raises(HsEnvError, match="line 2: the text is empty"):
        load_corpus(tmp_path / "null.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and more")
    with pytest.raises(HsEnvError, match=r"broken.parquet: cannot be read as Parquet"):
        load_corpus(tmp_path / "broken.parquet")


def test_a_column_is_a_name_or_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("good film,1\nbad film,0\n")
    by_text = load_corpus(path, text="1", label="2")
    assert load_corpus(path, text=1, label=np.int64(2)).splits == by_text.splits  # type: ignore[arg-type]
    with pytest.raises(HsEnvError, match=r"A column is a name, or a number from 1, got 1\.5"):
        load_corpus(path, text=1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", ["text", ""])
def test_settings_without_a_value_are_named(tmp_path: Path, settings: str) -> None:
    path = write(tmp_path / "a.csv", "text,label", [("good", 1), ("bad", 0)])
    with pytest.raises(HsEnvError, match=f"after the colon, got '{settings}'"):
        load_corpus(f"{path}:{settings}")


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label", [("good film", 1), ("bad film", 0)])
    plain, packed = tmp_path / "b.csv.gz", tmp_path / "c.csv"
    plain.write_bytes(path.read_bytes())
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert load_corpus(plain).splits == load_corpus(packed).splits == load_corpus(path).splits


def test_labels_that_look_like_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label", [("a", "1_0"), ("b", "9"), ("c", "10")])
    assert load_corpus(path).labels == ("10", "1_0", "9")  # texts, in alphabetical order
    with pytest.raises(HsEnvError, match="a class needs a name that is not blank"):
        load_corpus(path, names=["a", " ", "c"])
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": Infinity}\n')
    with pytest.raises(HsEnvError, match="the label is infinite"):
        load_corpus(tmp_path / "a.jsonl")
    assert read_label(Decimal("2.00")) == read_label(2) == "2"


def test_a_folder_in_place_of_a_file_is_shown_as_one(tmp_path: Path) -> None:
    (tmp_path / "train.csv").mkdir()
    write(tmp_path / "test.csv", "text,label", [("a", 1), ("b", 0)])
    with pytest.raises(HsEnvError, match=r"this one holds test\.csv, train\.csv/"):
        load_corpus(tmp_path)


@pytest.mark.parametrize("encoding", ["unicode_escape", "raw_unicode_escape", "idna", "punycode", "utf-16"])
def test_codecs_that_no_text_file_has(encoding: str) -> None:
    with pytest.raises(HsEnvError, match="Expected an encoding that extends ASCII"):
        RowFormat(encoding=encoding)


@pytest.mark.parametrize(
    ("content", "text", "label"),
    [
        ('text\tnote\tlabel\n"good film"\t\tpos\n', "text", "label"),
        ('note\ttext\tlabel\n\t"good film"\tpos\n', "text", "label"),
        ('text,label\n"good, film" ,pos\n', "text", "label"),
        ("\n\ntext;label\ngood film;pos\n", "text", "label"),
        ("text,label\ngood film,pos,\n", "text", "label"),
        ("pos,good film\n2,bad film\n", "2", "1"),
        ("2,good film\n1,bad film\n2,fine film\n", "2", "1"),
        (f"text,label\n{'good ' * 40000},pos\n", "text", "label"),
        ("pos,3,the first film\nneg,10,film number 10\n", "3", "1"),
        ("2,3,the first film\n1,10,film number 10\n", "3", "1"),
        ("pos;well, this film, is good\nneg;bad\n", "2", "1"),
        ("pos|well, this; and that, is good\nneg|bad, this; time, too\n", "2", "1"),
        ('pos;"good; film"\nneg;bad\n', "2", "1"),
        ("pos,good film; nice,x\nneg,bad film; dull,y\n", "2", "1"),
        ("pos,good film,a|b\nneg,bad film,c|d\n", "2", "1"),
        ("\n" * 30 + "text;label\ngood, fine film;pos\n", "text", "label"),
    ],
    ids=[
        *("empty field", "empty first field", "blank", "blank lines", "last separator", "numbers", "stars", "long"),
        *(
            "three columns",
            "numbers as values",
            "commas of prose",
            "signs of prose",
            "quotes",
            "prose",
            "pairs",
            "many blank lines",
        ),
    ],
)
def test_prediction_reads_the_tables_that_training_reads(tmp_path: Path, content: str, text: str, label: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(content)
    rows = read_rows(path, RowFormat(text, label))
    assert rows[0].label in ("pos", "2")
    assert list(read_texts(path, text)) == [row.text for row in rows]
