"""The tables of words and everyday faces: `docs/expressions.md` holds them, `evaluation words --tables` renews them."""

from ...modules.labels import FACES, FAMILIES, WORDS, action_units, affect, distance_matrix, sources_of

LETTERS = {  # how the page's list of literature calls a source
    "Ekman & Friesen 1978": "a", "Friesen & Ekman 1983 (EMFACS)": "b", "Ekman, Friesen & Hager 2002": "c",
    "Du, Tao & Martinez 2014": "d", "Keltner 1995": "e", "Cordaro et al. 2018": "f", "Keltner & Cordaro 2017": "g",
}  # fmt: skip


def word_table(count: int = 3) -> str:
    """Markdown: every word with its action units, affect and the `count` words that look most alike, by subcluster."""
    distances = distance_matrix()
    lines = []
    for family, subclusters in FAMILIES.items():
        lines += [f"### {family}", "", "| word | action units | V / A / D | looks most like (distance) |", "|---|---|---|---|"]
        for name, words in subclusters.items():
            cited = ", ".join(sorted(LETTERS[source] for source in sources_of(words[0])))
            lines.append(f"| **{name}** ({cited}) | | | |")
            lines += [_row(word, distances[WORDS.index(word)], count) for word in words]
        lines.append("")
    return "\n".join(lines).rstrip()


def everyday_table() -> str:
    """Markdown: every everyday face with the words that mean it, and its action units."""
    lines = ["| face | also typed | action units |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {n} | {f.replace('|', ', ')} | {_units(u)} |" for n, (f, u) in FACES.items())])


def _units(units: dict[str, float]) -> str:
    return ", ".join(f"{unit} {amount:g}" for unit, amount in units.items())


def _row(word: str, distances, count: int) -> str:
    units = _units(action_units(word))
    near = [WORDS[i] for i in distances.argsort(kind="stable") if WORDS[i] != word][:count]
    alike = ", ".join(f"{other} {distances[WORDS.index(other)]:.2f}" for other in near)
    return f"| {word} | {units} | {' / '.join(f'{value:.2g}' for value in affect(word))} | {alike} |"
