"""The words people type: forms of the 135 words, everyday words near them, and what makes a feeling weaker or stronger.

All of it is our own reading of plain English. `FORMS` mean the same word of the list; `SYNONYMS` only come near one, and
whoever uses one is told. Adverbs ("sadly") and "-ness" nouns are made by rule, see `lexicon.py`; only odd ones stand here.
"""

FORMS: dict[str, str] = {  # word of the list -> its other forms, separated by spaces
    "adoration": "adoring adore adores adored", "affection": "affectionate", "aggravation": "aggravated aggravating",
    "agitation": "agitated", "agony": "agonized agonised agonizing agonising", "alarm": "alarmed",
    "alienation": "alienated", "amazement": "amazed", "amusement": "amused", "anger": "angry angered",
    "anguish": "anguished", "annoyance": "annoyed annoying", "anxiety": "anxious", "apprehension": "apprehensive",
    "arousal": "aroused", "astonishment": "astonished", "attraction": "attracted", "bitterness": "bitter embittered",
    "bliss": "blissful", "caring": "cares", "cheerfulness": "cheerful cheery", "compassion": "compassionate",
    "contempt": "contemptuous", "contentment": "content contented", "defeat": "defeated", "dejection": "dejected",
    "delight": "delighted delightful", "depression": "depressed depressive", "desire": "desiring desirous",
    "despair": "despairing desperate", "disappointment": "disappointed", "disgust": "disgusted",
    "dislike": "disliking dislikes", "dismay": "dismayed", "displeasure": "displeased", "distress": "distressed",
    "dread": "dreading dreads", "eagerness": "eager", "ecstasy": "ecstatic", "elation": "elated",
    "embarrassment": "embarrassed", "enjoyment": "enjoying enjoys", "enthrallment": "enthralled",
    "enthusiasm": "enthusiastic enthused", "envy": "envious envying", "euphoria": "euphoric",
    "exasperation": "exasperated", "excitement": "excited", "exhilaration": "exhilarated", "fear": "fearful fearing",
    "ferocity": "ferocious", "fondness": "fond", "fright": "frightened", "frustration": "frustrated",
    "fury": "furious", "gaiety": "gaily", "gladness": "glad", "glee": "gleeful", "gloom": "gloomy", "glumness": "glum",
    "grief": "grieving grief-stricken", "grouchiness": "grouchy", "grumpiness": "grumpy", "guilt": "guilty",
    "happiness": "happy", "hate": "hateful hating hates hatred", "homesickness": "homesick", "hope": "hopeful hoping",
    "hopelessness": "hopeless", "horror": "horrified", "hostility": "hostile", "humiliation": "humiliated",
    "hurt": "hurting", "hysteria": "hysterical", "infatuation": "infatuated", "insecurity": "insecure",
    "insult": "insulted", "irritation": "irritated irritable", "isolation": "isolated", "jealousy": "jealous",
    "jolliness": "jolly", "joviality": "jovial", "joy": "joyful joyous", "jubilation": "jubilant", "liking": "likes",
    "loathing": "loathe loathes", "loneliness": "lonely lonesome", "longing": "longs", "love": "loving loves",
    "lust": "lustful lusting", "melancholy": "melancholic", "misery": "miserable", "mortification": "mortified",
    "neglect": "neglected", "nervousness": "nervous", "optimism": "optimistic", "outrage": "outraged",
    "panic": "panicked panicking panicky", "passion": "passionate", "pity": "pitying", "pleasure": "pleased pleasured",
    "pride": "proud prideful", "rage": "raging enraged", "rapture": "rapturous enraptured", "regret": "regretful regretting",
    "rejection": "rejected", "relief": "relieved", "remorse": "remorseful", "resentment": "resentful resenting",
    "revulsion": "revolted", "sadness": "sad saddened", "satisfaction": "satisfied", "scorn": "scornful",
    "sentimentality": "sentimental", "shame": "ashamed shamed shamefaced", "shock": "shocked",
    "sorrow": "sorrowful sorrowing", "spite": "spiteful", "suffering": "suffers", "surprise": "surprised",
    "sympathy": "sympathetic sympathizing sympathising", "tenderness": "tender", "tenseness": "tense tensed tension",
    "terror": "terrified", "thrill": "thrilled", "torment": "tormented", "triumph": "triumphant triumphal",
    "uneasiness": "uneasy", "unhappiness": "unhappy", "vengefulness": "vengeful revengeful", "woe": "woeful woebegone",
    "worry": "worried worrying worries", "wrath": "wrathful", "zeal": "zealous", "zest": "zestful zesty",
}  # fmt: skip

SYNONYMS: dict[str, str] = {  # typed word -> the nearest word of the list
    "abandoned": "neglect", "afraid": "fear", "aghast": "horror", "alone": "loneliness", "apologetic": "regret",
    "appalled": "horror", "astounded": "astonishment", "awe": "amazement", "awed": "amazement", "bashful": "embarrassment",
    "beaming": "joy", "besotted": "infatuation", "bored": "gloom", "calm": "contentment", "captivated": "enthrallment",
    "cheeky": "amusement", "concerned": "worry", "confident": "pride", "cross": "annoyance", "crushed": "defeat",
    "cry": "grief", "crying": "grief", "devastated": "anguish", "devoted": "adoration", "disdain": "contempt",
    "disdainful": "contempt", "disgruntled": "displeasure", "downcast": "dejection", "dumbfounded": "astonishment",
    "edgy": "tenseness", "enamored": "infatuation", "enamoured": "infatuation", "energetic": "zest",
    "expectant": "hope", "fascinated": "enthrallment", "fed up": "exasperation", "fierce": "ferocity",
    "flabbergasted": "astonishment", "flirting": "desire", "flirty": "desire", "frantic": "panic",
    "friendly": "liking", "frown": "displeasure", "frowning": "displeasure", "gentle": "tenderness",
    "giggling": "glee", "glare": "hostility", "glaring": "hostility", "grin": "cheerfulness", "grinning": "cheerfulness",
    "heartbroken": "grief", "hesitant": "apprehension", "horny": "arousal", "impatient": "exasperation",
    "in love": "love", "in pain": "suffering", "in tears": "grief", "irate": "wrath", "jittery": "nervousness",
    "jumpy": "nervousness", "keen": "eagerness", "kind": "caring", "laugh": "amusement", "laughing": "amusement",
    "lively": "zest", "livid": "fury", "mad": "anger", "merry": "gaiety", "mesmerised": "enthrallment",
    "mesmerized": "enthrallment", "mourning": "grief", "moved": "sentimentality", "nauseated": "revulsion",
    "nostalgic": "sentimentality", "offended": "insult", "on edge": "tenseness", "overjoyed": "jubilation",
    "pain": "suffering", "pained": "suffering", "peaceful": "contentment", "petrified": "terror", "playful": "amusement",
    "relaxed": "contentment", "repulsed": "revulsion", "romantic": "love", "scared": "fear", "scowl": "anger",
    "scowling": "anger", "seductive": "desire", "seething": "fury", "self-conscious": "insecurity",
    "serene": "contentment", "sexy": "desire", "sheepish": "embarrassment", "shy": "embarrassment",
    "smile": "cheerfulness", "smiling": "cheerfulness", "smirk": "contempt", "smirking": "contempt",
    "smitten": "infatuation", "smug": "pride", "sneer": "scorn", "sneering": "scorn", "sobbing": "grief",
    "sorry": "regret", "spooked": "fright", "startled": "surprise", "stressed": "tenseness", "stunned": "shock",
    "sulking": "grumpiness", "sulky": "grumpiness", "sultry": "desire", "tearful": "sorrow", "tears": "sorrow",
    "timid": "apprehension", "tortured": "torment", "touched": "sentimentality", "upset": "distress",
    "victorious": "triumph", "vindictive": "vengefulness", "warm": "affection", "wary": "apprehension",
    "weeping": "grief", "wistful": "longing", "wow": "amazement", "yearning": "longing",
}  # fmt: skip

MODIFIERS: dict[str, float] = {  # what comes before (or after) a feeling -> factor of its intensity
    "a trace of": 0.25, "barely": 0.25, "faintly": 0.3, "a hint of": 0.3, "a touch of": 0.3, "a touch": 0.3,
    "slightly": 0.4, "subtly": 0.4, "a little": 0.5, "a little bit": 0.5, "a bit": 0.5, "a bit of": 0.5, "a tad": 0.4,
    "mildly": 0.5, "half": 0.5, "vaguely": 0.4, "somewhat": 0.6, "kind of": 0.6, "sort of": 0.6, "kinda": 0.6,
    "less": 0.7, "more or less": 0.8, "moderately": 0.7, "rather": 0.8, "fairly": 0.8, "mostly": 0.8, "pretty": 0.9,
    "quite": 0.9, "so": 1.15, "more": 1.2, "really": 1.2, "truly": 1.2, "very": 1.25, "deeply": 1.25, "strongly": 1.25,
    "highly": 1.25, "terribly": 1.3, "awfully": 1.3, "overly": 1.3, "intensely": 1.4, "incredibly": 1.4, "totally": 1.4,
    "completely": 1.4, "utterly": 1.4, "absolutely": 1.4, "wildly": 1.4, "madly": 1.4, "insanely": 1.5,
    "extremely": 1.5, "overwhelmingly": 1.5,
}  # fmt: skip

JOINERS = frozenset("and but yet plus then & + , ; / . ! ? | – —".split())
NEGATIONS = frozenset("not no never without neither nor none cannot hardly nobody nothing isn aren don".split())
NEUTRAL = frozenset("neutral expressionless deadpan".split())
FILLERS = frozenset(
    """a an the as if like of in at on to with by for from who which that this these his her hers him its their them my
    your our me us i you he she it they we one is are was were be been being am has have having had do does did will
    would seem seems seemed seeming appear appears appearing become becomes becoming get gets getting look looks looked
    looking feel feels felt feeling feelings show shows showing shown express expresses expressing expression
    expressions emotion emotions emotional mood face faces facial eyes mouth portrait photo picture person people
    somebody someone man woman lady guy full filled mixed mix mixture both also still just simply all at once same time
    while too lovely beautiful about because now ( ) [ ] " ' : - _ *""".split()
)  # fmt: skip
