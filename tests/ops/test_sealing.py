"""Sealed streams come back whole or not at all: no byte, piece, end or name can be changed unseen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.ops.backup.sealing import PIECE, Damaged, seal, unseal

KEY = bytes(range(32))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_what_is_sealed_comes_back(tmp_path: Path, size: int) -> None:
    clear = os.urandom(size)
    told = seal([clear[: size // 3], clear[size // 3 :]], tmp_path / "x", "x", KEY)
    assert told.size == (tmp_path / "x").stat().st_size
    assert b"".join(unseal(tmp_path / "x", "x", KEY)) == clear


@pytest.mark.parametrize("attack", ["swap", "drop last", "drop first", "cut", "add", "rename", "other key", "empty"])
def test_a_sealed_file_that_was_touched_is_refused(tmp_path: Path, attack: str) -> None:
    path, head, piece = tmp_path / "x", 24, PIECE + 16
    seal([os.urandom(3 * PIECE)], path, "x", KEY)
    content, name, key = path.read_bytes(), "x", KEY
    pieces = [content[start : start + piece] for start in range(head, len(content), piece)]
    assert len(pieces) == 4
    match attack:
        case "swap":
            pieces[0], pieces[1] = pieces[1], pieces[0]
        case "drop last":
            del pieces[-1]
        case "drop first":
            del pieces[0]
        case "cut":
            pieces[-1] = pieces[-1][:-1]
        case "add":
            pieces.append(pieces[0])
        case "rename":
            name = "y"
        case "other key":
            key = bytes(32)
        case "empty":
            pieces = []
    path.write_bytes(content[:head] + b"".join(pieces))
    with pytest.raises(Damaged):
        for _piece in unseal(path, name, key):
            pass


def test_a_piece_that_unpacks_to_a_thousand_times_as_much_comes_in_small_ones(tmp_path: Path) -> None:
    seal([bytes(64 * PIECE)], tmp_path / "x", "x", KEY)
    assert (tmp_path / "x").stat().st_size < PIECE
    sizes = [len(piece) for piece in unseal(tmp_path / "x", "x", KEY)]
    assert (sum(sizes), max(sizes) <= PIECE) == (64 * PIECE, True)
