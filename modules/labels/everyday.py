"""Everyday faces that the 135 words do not name: what is seen of *tired*, *confused* or *a wink*, in action units.

Reasoned as the prototypes are (`docs/expressions.md`), under the same rules of what can be seen; a unit may name a side. They
are no feelings of the tree: they have no family, no place among the words, and the expression library has no folder for them.
"""

FACES: dict[str, tuple[str, dict[str, float]]] = {  # name -> its other forms, separated by "|"; action units
    # at rest, and short of sleep
    "calm": (
        "calmly|calmed|serene|serenely|tranquil|composed|collected|relaxed|chill|chilled|cool|zen|patient|unhurried|"
        "meditative",
        {"12": 0.2, "43": 0.15},
    ),
    "dreamy": (
        "daydreaming|absent-minded|faraway|lost in thought|spaced out",
        {"1": 0.3, "12": 0.45, "43": 0.35, "61": 0.3, "63": 0.5},
    ),
    "tired": (
        "exhausted|weary|wearily|fatigued|worn out|drained|burned out|burnt out|overworked|jet-lagged|sleep-deprived|"
        "bleary|haggard|tiredness|exhaustion|fatigue|lazy|sluggish|listless",
        {"1": 0.4, "15": 0.45, "43": 0.45, "64": 0.25},
    ),
    "sleepy": ("drowsy|dozy|dozing|nodding off|half asleep|groggy|sleepiness", {"1": 0.3, "25": 0.2, "43": 0.75}),
    "asleep": ("sleeping|eyes closed|closed eyes|with closed eyes|unconscious|praying|eyes shut", {"25": 0.1, "43": 1.0}),
    "yawning": ("yawn|yawns", {"1": 0.3, "10": 0.3, "27": 0.95, "43": 0.8}),
    "bored": (
        "boredom|jaded|boring|fed up with it|unimpressed|uninterested|disinterested|apathetic|blasé",
        {"14": 0.5, "15": 0.45, "43": 0.42, "61": 0.55},
    ),
    "sick": (
        "ill|unwell|queasy|nauseous|seasick|feverish|poorly|hungover|sickly|sickness|carsick",
        {"1": 0.3, "4": 0.45, "9": 0.5, "10": 0.2, "15": 0.8, "25": 0.25, "43": 0.48},
    ),
    "drunk": (
        "tipsy|wasted|intoxicated|drunken|stoned|hammered|plastered|boozy|drunkenness",
        {"1": 0.3, "12L": 0.6, "12R": 0.3, "25": 0.45, "26": 0.25, "43": 0.5},
    ),
    "dazed": (
        "dizzy|lightheaded|light-headed|woozy|concussed|numb|out of it|stupefied",
        {"1": 0.35, "25": 0.3, "26": 0.4, "43": 0.3, "63": 0.15},
    ),
    # thinking
    "confused": (
        "puzzled|perplexed|baffled|bewildered|confusion|disoriented|lost|unsure|uncertain|clueless|confounded|"
        "mystified|flummoxed|undecided|indecisive|muddled|huh|confusedly",
        {"2R": 0.9, "4L": 0.95, "7L": 0.4, "15": 0.5, "25": 0.35},
    ),
    "doubtful": (
        "skeptical|sceptical|sceptically|skeptically|dubious|doubting|doubt|suspicious|distrustful|mistrustful|"
        "suspicion|unconvinced|disbelieving|incredulous|raised eyebrow|one raised eyebrow|judgmental|judgemental|"
        "side-eye|cynical",
        {"2R": 1.0, "4L": 0.95, "7": 0.35, "14L": 0.8, "24": 0.35},
    ),
    "thoughtful": (
        "thinking|pensive|contemplative|pondering|reflective|thought|introspective|wondering|brooding|ruminating|"
        "musing|absorbed|preoccupied",
        {"4": 0.3, "14": 0.4, "24": 0.4, "61": 0.6, "63": 0.6},
    ),
    "focused": (
        "concentrated|concentrating|concentration|attentive|intent|focussed|careful|busy|studious|intense|watchful|"
        "vigilant|observant",
        {"4": 0.75, "7": 0.75, "24": 0.45},
    ),
    "curious": (
        "interested|intrigued|inquisitive|nosy|curiosity|interest|alert|questioning|quizzical|awake|listening",
        {"1": 0.6, "2": 0.85, "5": 0.5, "12": 0.2, "25": 0.3},
    ),
    "serious": (
        "solemn|grave|stern|strict|seriousness|severe|businesslike|formal|grim|sober|earnest|professional|frosty|harsh",
        {"4": 0.65, "17": 0.3, "24": 0.45},
    ),
    "determined": (
        "determination|resolute|resolved|stubborn|defiant|brave|courageous|strong|tough|ambitious|driven|motivated|"
        "heroic|bold|competitive|headstrong|rebellious|steely",
        {"4": 0.9, "7": 0.45, "17": 0.55, "23": 0.7},
    ),
    "speechless": (
        "gaping|jaw-dropped|open-mouthed|slack-jawed|open mouth|mouth open|gobsmacked|lost for words",
        {"1": 0.35, "2": 0.35, "5": 0.2, "27": 0.6},
    ),
    # the mouth above all
    "smirk": (
        "smirking|smirks|smug|smugly|smugness|cocky|sly|slyly|mischievous|naughty|devious|cunning|impish|wry|ironic|"
        "sarcastic|sardonic|crooked smile|half smile|half-smile|lopsided smile|mischief|conceited|self-satisfied|foxy",
        {"2R": 0.6, "6R": 0.6, "12L": 0.15, "12R": 1.0, "14R": 0.8, "43": 0.2},
    ),
    "wink": ("winking|winks|winked", {"6L": 0.5, "12L": 0.7, "12R": 0.5, "25": 0.2, "43L": 1.0}),
    "pout": ("pouting|pouty|pouts|duck face|duckface", {"1": 0.6, "18": 0.9, "22": 0.4}),
    "kiss": ("kissing|kisses|blowing a kiss|kissy|puckered", {"18": 1.0, "22": 0.6, "43": 0.6}),
    "grimace": (
        "grimacing|cringe|cringing|wincing|wince|gritted teeth|gritting teeth|teeth clenched|clenched teeth|strained|"
        "straining",
        {"4": 0.7, "6": 0.4, "7": 0.5, "10": 0.5, "16": 0.9, "20": 0.95, "25": 0.9},
    ),
    "disapproving": (
        "frown|frowning|frowns|disapproval|pursed lips|tight-lipped|reproachful|critical|mean|rude",
        {"4": 0.95, "7": 0.35, "15": 0.75, "17": 0.5, "24": 0.4},
    ),
    "shouting": (
        "shout|yelling|yell|roaring|bellowing|shouts|yells|snarling",
        {"4": 0.85, "7": 0.5, "9": 0.6, "10": 0.5, "16": 0.5, "27": 0.8},
    ),
    "screaming": (
        "scream|screams|shrieking|screeching",
        {"1": 0.7, "2": 0.4, "4": 0.3, "5": 0.6, "16": 0.5, "20": 0.5, "27": 1.0},
    ),
    "singing": (
        "sing|talking|speaking|chatting|saying ah|sings|speaks|talks",
        {"1": 0.3, "2": 0.25, "12": 0.2, "25": 0.4, "26": 0.6},
    ),
    # the eyes above all
    "squinting": ("squint|squints|dazzled|blinded|narrowed eyes|short-sighted", {"4": 0.45, "6": 0.5, "7": 0.9}),
    "staring": (
        "stare|wide-eyed|wide eyes|stares|hypnotised|hypnotized|transfixed|bug-eyed|haunted",
        {"1": 0.3, "2": 0.35, "5": 0.9},
    ),
    "eye roll": (
        "rolling eyes|rolling her eyes|rolling his eyes|rolls eyes|eyerolling|whatever",
        {"2": 0.4, "14": 0.4, "24": 0.2, "43": 0.15, "63": 0.9},
    ),
    "pleading": (
        "begging|pleads|beseeching|puppy eyes|puppy-eyed|imploring|innocent|prayerful",
        {"1": 0.9, "5": 0.4, "17": 0.2, "63": 0.25},
    ),
    # smiles that are none
    "forced smile": (
        "fake smile|fake|polite smile|polite|false smile|awkward smile|insincere|smiling politely|diplomatic",
        {"12": 0.65, "14": 0.3, "20": 0.25, "25": 0.3},
    ),
    "creepy": ("eerie|uncanny|spooky|weird|ghostly|strange|haunting", {"2": 0.3, "4": 0.25, "5": 0.95, "12": 1.0, "25": 0.5}),
    "evil": (
        "sinister|wicked|villainous|diabolical|devilish|malicious|malevolent|cruel|sadistic|gloating|evilly|scheming|"
        "menacing|threatening|ominous",
        {"4": 0.95, "7": 0.35, "9": 0.3, "12": 0.8, "14R": 0.6},
    ),
    "crazy": (
        "insane|maniacal|manic|deranged|mad scientist|lunatic|unhinged|craziness|madness|wacky|nuts|possessed",
        {"2": 0.6, "4": 0.25, "5": 0.95, "12": 0.9, "16": 0.4, "25": 0.8, "26": 0.4},
    ),
}  # fmt: skip

# states that no face shows -> the nearest that one does: an honest no
UNSEEN: dict[str, tuple[str, ...]] = {
    state: tuple(near.split()) for states, near in (
        ("hungry|thirsty|starving|famished|peckish", "eagerness longing"),
        ("cold|freezing|chilly|shivering", "tenseness serious"),
        ("hot|sweaty|sweating|overheated", "tired distress"), ("dead|deceased", "asleep neutral"),
        ("pregnant|healthy|fit|alive|young|youthful", "happiness calm"), ("old|aged|elderly|wrinkled", "tired serious"),
        ("blind|deaf|mute", "neutral dazed"), ("wet|dirty|clean|bald|bearded|naked|nude", "neutral calm"),
        ("rich|poor|famous|tall|short|fat|thin|slim|skinny|muscular", "pride neutral"),
        ("pretty face|handsome|attractive|ugly|cute|gorgeous|stunning", "happiness attraction"),
        ("smart|clever|intelligent|wise", "thoughtful focused"), ("stupid|dumb|foolish", "confused dazed"),
        ("honest|loyal|trustworthy|responsible|reliable", "serious contentment"),
    ) for state in states.split("|")
}  # fmt: skip

# what the list of the Expression Label Encoder offers beside the 135 words: everyday words, each found by typing it
OFFERED: tuple[str, ...] = tuple(
    """afraid amazed amused angry annoyed anxious ashamed asleep bored calm cheerful confident confused crazy creepy
    crying curious depressed determined disappointed disgusted doubtful dreamy drunk embarrassed evil excited flirty
    focused friendly frightened frustrated furious grateful grin grumpy guilty happy hopeful hurt jealous kiss
    laughing lonely loving mad nervous panicked pleading pout proud relaxed relieved sad scared screaming serious
    shocked shouting shy sick skeptical sleepy smile smirk squinting staring stressed surprised suspicious terrified
    thoughtful tired upset wink worried yawning""".split()
)
