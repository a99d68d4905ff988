"""What things are called in folders and tables: splits, columns, endings of image files. Data only."""

from __future__ import annotations

TRAIN, STOP, CALIBRATE, TEST = "train", "stop", "calibrate", "test"

SPLITS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": STOP,
    "valid": STOP,
    "validation": STOP,
    "dev": STOP,
    "stop": STOP,
    "calibrate": CALIBRATE,
    "calibration": CALIBRATE,
    "test": TEST,
    "testing": TEST,
}
"""What a split may be called → what it is called here."""

ENDINGS = frozenset(
    ".avif .bmp .bw .cur .dcx .dds .dib .fli .flc .gif .icns .ico .im .j2c .j2k .jfif .jp2 .jpe .jpeg .jpf .jpg .jpx "
    ".mpo .msp .pbm .pcd .pcx .pfm .pgm .png .pnm .ppm .psd .qoi .ras .rgb .rgba .sgi .tga .tif .tiff .vda .vst "
    ".webp .xbm .xpm".split()
)
"""Endings of files that Pillow may read; others in a folder of images are counted and left alone."""

TEXTS = frozenset({".txt", ".text", ".md"})
"""Endings of files that hold a text."""

SERIES = frozenset({".csv", ".tsv", ".txt", ".dat", ".asc", ".npy"})
"""Endings of files that may hold a series; whether they do is found by looking."""

SOUNDS = frozenset(".wav .flac .ogg .oga .opus .mp3 .aiff .aif .au .snd .caf .w64 .rf64".split())
"""Endings of files that hold a sound."""

KINDS = ("image", "text", "series", "audio", "vector")
"""What items may be, where it is said and not guessed."""

COLUMNS = {
    "item": "item image path file filename file_name filepath file_path image_path image_file img photo picture "
    "embedding embeddings vector vectors features text sentence question body content description",
    "identity": "identity label class person subject writer signer speaker user product identity_id person_id "
    "subject_id writer_id product_id class_id label_id target character y",
    "group": "group alphabet category family session machine recording group_id session_id category_id",
    "split": "split subset partition",
    "id": "id item_id key sku uid uuid",
    "time": "time timestamp date datetime created created_at taken_at",
    "impostor_of": "impostor_of imitates pretends claimed claimed_identity forgery_of",
    "duplicate_of": "duplicate_of same_as canonical canonical_id master_id",
    "a": "a left first item_a item1 image_a image1 image_1 path_a path1 file_a file1 id_a id1 left_id ltable_id query "
    "sentence1 sentence_1 sentence_a text1 text_1 text_a question1 question_1",
    "b": "b right second item_b item2 image_b image2 image_2 path_b path2 file_b file2 id_b id2 right_id rtable_id "
    "other match_id sentence2 sentence_2 sentence_b text2 text_2 text_b question2 question_2",
    "same": "same label is_same match is_match duplicate is_duplicate y",
    "score": "score similarity relatedness relatedness_score similarity_score",
    "anchor": "anchor",
    "positive": "positive pos",
    "negative": "negative neg",
}
"""Role of a column → names it goes by, the first found wins; compared in lower case, with _ for spaces and dashes."""

FORGERIES = frozenset(
    "forg forge forged forgery forgeries fake fakes faked imitation imitations impostor impostors imposter imposters "
    "skilled simulated spoof spoofs spoofed".split()
)
"""How the name of a folder ends when it holds imitations of the folder that it is named after."""

TRUE = frozenset({"1", "1.0", "true", "yes", "y", "t", "same", "match", "duplicate"})
FALSE = frozenset({"0", "0.0", "-1", "false", "no", "n", "f", "different", "nonmatch", "distinct"})
