"""The few hundred words from which the demo catalogue's titles, tags and descriptions are made.

Nouns begin with a consonant sound, so that "a" always fits.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Genre:
    """One taste cluster: its category name, how large it is, and the words that give it away."""

    category: str
    share: float  # of the catalogue
    age: float  # mean age band of its readers, 0 (youngest) to 5
    opening: str  # of a description
    nouns: tuple[str, ...]
    adjectives: tuple[str, ...]
    tags: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GENRES = (
    Genre("Crime & Mystery", 0.18, 2.6, "A case about",
          _words("ledger witness locksmith harbour lantern verdict cellar stranger letter poison motive ferry"
                 " coroner debt rumour footprint widow safe"),
          _words("silent missing crooked cold borrowed third patient hollow perfect late"),
          _words("detective noir whodunit courtroom heist small-town cold-case thriller")),
    Genre("Science Fiction", 0.15, 1.2, "A future with",
          _words("satellite machine signal colony reactor comet pilot robot horizon station sandstorm clone"
                 " shuttle simulation beacon moon probe paradox"),
          _words("last orbital quantum distant artificial infinite red weightless lost binary"),
          _words("space-opera robots first-contact time-travel dystopia hard-sf cyberpunk colonies")),
    Genre("Fantasy", 0.14, 0.9, "A quest with",
          _words("dragon crown wizard forest sword raven prophecy throne mirror phantom castle curse"
                 " thief giant wolf bell gate spell"),
          _words("hidden silver sleeping forgotten burning crownless winter nameless golden broken"),
          _words("dragons magic-school epic fairy-tale quests heroes folklore witches")),
    Genre("Romance", 0.13, 1.8, "A love story with",
          _words("wedding bookshop summer bakery kiss neighbor promise lighthouse garden secret dance train"
                 " cottage valentine violin holiday postcard pharmacist"),
          _words("second sweet unlikely sunlit careless pretend tender midnight honest rainy"),
          _words("feel-good second-chance slow-burn rom-com family-saga holiday friends-to-lovers wedding")),
    Genre("History", 0.12, 4.0, "A history of",
          _words("republic railway queen merchant siege treaty cathedral revolution diary general monk map"
                 " pharaoh fleet printer bridge senator market"),
          _words("divided imperial final golden unwritten stolen great provincial stubborn secret"),
          _words("ancient-world biography middle-ages maritime archaeology war trade empires")),
    Genre("Nature & Travel", 0.11, 3.2, "A journey with",
          _words("glacier mountain river heron desert volcano tent forester whale trail lake beekeeper reef"
                 " compass meadow bear tide sailboat"),
          _words("wild northern slow blue barefoot windward quiet high frozen endless"),
          _words("hiking wildlife oceans mountains cycling polar birds islands")),
    Genre("Food & Home", 0.09, 2.9, "Recipes and stories with",
          _words("kitchen lemon table sourdough saucepan dumpling pepper teapot picnic cookbook cheese"
                 " noodle mushroom grandmother feast bean cake skillet"),
          _words("generous simple salted wooden sunday spicy little green everyday smoky"),
          _words("baking vegetarian street-food fermentation gardening comfort-food desserts crafts")),
    Genre("Music & Art", 0.08, 2.2, "A portrait with",
          _words("trumpet painter studio melody canvas piano choir record gallery photograph drummer sculptor"
                 " ballad museum cello sketchbook mural diva"),
          _words("blue electric unfinished loud velvet restless minor painted live hopeful"),
          _words("jazz modern-art documentary soul photography classical design street-art")),
)  # fmt: skip

TITLES = (
    "The {Adjective} {Noun}",
    "A {Noun} in {Place}",
    "The {Adjective} {Noun} of {Place}",
    "{Noun} & {Other}",
    "The {Noun}, the {Other} and the {Third}",
    "What {Name} Knew About the {Noun}",
    "A {Noun} for {Name}",
    "{Name} and the {Adjective} {Noun}",
)
DESCRIPTION = "{opening} a {noun}, a {other} and a {third}, set in {Place}. {Mood} {kind} by {Creator}."

# Titles that a careless page would break on; they replace those of two items.
AWKWARD_TITLES = ("<3 and Other Short Messages", 'Less < More & "Enough": Essays')

NUMERALS = ("II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")  # of sequels

PLACES = (
    "Tromsø", "Málaga", "Kraków", "Łódź", "Reykjavík", "Göteborg", "İzmir", "São Paulo", "Zürich", "Þórshöfn",
    "Lisbon", "Trieste", "Galway", "Marseille", "Valparaíso", "Odesa", "Kyoto", "Hội An", "Tartu", "Ghent",
    "Oaxaca", "Tbilisi", "Dakar", "Quebec", "Bergen", "Palermo", "Hobart", "Riga", "Nairobi", "Cork",
)  # fmt: skip
NAMES = (
    "Zoë", "Inés", "Jonas", "Amara", "Wei", "Søren", "Noor", "Mateo", "Freya", "Kenji", "Ottilie", "Tomáš",
    "Leila", "Bruno", "Aoife", "Ravi", "Marguerite", "Dmitri", "Chloé", "Samuel",
)  # fmt: skip
SURNAMES = (
    "Okafor", "Lindqvist", "Marsh", "Núñez", "Tanaka", "O'Dowd", "Brandt", "Kowalska", "Achterberg", "Demir",
    "Pereira", "Halloran", "Šimić", "Dubois", "Mwangi", "Castellano", "Hartley", "Björk", "Rao", "Weiss",
)  # fmt: skip
MOODS = ("A gripping", "A gentle", "A funny", "A haunting", "A clear-eyed", "A tender", "A sprawling", "A sly")
KINDS = ("book", "audiobook", "film")
COMMON_TAGS = ("prize-winner", "debut", "illustrated", "translated", "book-club", "new-edition")

AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
COUNTRIES = ("DE", "FR", "ES", "PL", "IT", "NL", "SE", "PT", "IE", "NO")
