"""Portraits of people as they are found, to a data folder that the training stages read; see docs/data.md."""

RECORD, CHUNKS, PEOPLE = "prepared.json", "chunks", "people.jsonl"  # in a prepared folder
