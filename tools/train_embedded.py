"""Train the embedded text model: a tiny transformer that tells positive from negative review sentences.

A grammar writes the sentences and computes their truth by composition (negation flips, the main clause of a contrast
wins); half of the training sentences have a random share of their words replaced by ``[MASK]``, so that the answer to a
partly masked text is close to the conditional probability given the words that are left.

    python tools/train_embedded.py [--out DIR] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    get_cosine_schedule_with_warmup,
)
from transformers.utils.logging import disable_progress_bar

OUT = Path(__file__).resolve().parent.parent / "captum_spex" / "games" / "text" / "embedded"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)
LABELS = {0: "negative", 1: "positive"}
N_TRAIN, N_TEST, N_UNSEEN = 120_000, 4_000, 2_000
EPOCHS, BATCH, LEARNING_RATE = 6, 128, 2e-3
HELD_OUT = 0.1  # share of the combinations that no training sentence contains
LOOSE = 0.15  # share of the training texts that are words without grammar
SHORTEST, LONGEST = 4, 30  # words of a sentence
EXAMPLE = "Her acting never fails to impress"

# --- words ---------------------------------------------------------------------------------------------------------


def listed(text: str) -> list[str]:
    """Return what stands between spaces."""
    return text.split()


ADJECTIVES = {
    1: listed("""good great excellent superb wonderful brilliant fantastic lovely charming delightful amazing
        outstanding impressive enjoyable pleasant beautiful perfect terrific marvellous splendid fine nice remarkable
        memorable exceptional fabulous magnificent stunning satisfying fresh elegant gorgeous refreshing flawless
        special solid decent worthwhile awesome incredible adorable likeable admirable appealing attractive
        first-rate impeccable pleasing glorious sublime"""),
    -1: listed("""bad terrible awful horrible dreadful poor disappointing annoying unpleasant mediocre weak lame ugly
        clumsy pointless messy forgettable irritating frustrating sloppy cheap ridiculous painful miserable pathetic
        atrocious abysmal disgusting hopeless worthless unbearable laughable nasty horrid inferior unacceptable
        appalling dismal shoddy useless depressing tiresome dreary lousy shabby unappealing ghastly underwhelming
        careless amateurish"""),
}
TOPIC_ADJECTIVES = {
    "story": {
        1: listed("""clever funny witty entertaining engaging inspiring original convincing believable thoughtful
            touching moving exciting thrilling gripping inventive graceful sincere strong rich captivating
            fascinating tender honest lively subtle hilarious powerful compelling imaginative masterful smart vivid
            intelligent absorbing"""),
        -1: listed("""boring dull tedious stupid silly predictable confusing lifeless shallow flat tired stale hollow
            lazy thin wooden unconvincing soulless generic incoherent pretentious stiff slow muddled clichéd
            contrived bland implausible unfunny cheesy corny sluggish overrated trite"""),
    },
    "food": {
        1: listed("""tasty delicious fresh generous friendly attentive crisp juicy tender creamy warm welcoming cosy
            quick authentic mouthwatering flavoursome polite cheerful"""),
        -1: listed("""bland greasy cold overpriced soggy burnt salty tough stale rude slow tasteless dry overcooked
            undercooked inedible watery unfriendly dirty rubbery bitter grumpy"""),
    },
    "stay": {
        1: listed("""clean comfortable cosy quiet spacious friendly helpful polite welcoming sunny modern affordable
            spotless peaceful warm attentive bright luxurious relaxing tidy"""),
        -1: listed("""dirty noisy cold overpriced uncomfortable cramped stuffy grubby rude filthy damp unfriendly
            smelly dark dingy outdated unhelpful unsafe tiny mouldy"""),
    },
    "device": {
        1: listed("""reliable sturdy useful bright sharp smooth fast quick light handy responsive durable affordable
            robust accurate efficient clear powerful dependable sleek"""),
        -1: listed("""unreliable flimsy broken faulty slow overpriced fragile blurry noisy dim defective buggy heavy
            inaccurate outdated laggy unstable cumbersome awkward scratchy"""),
    },
}
VERBS = {
    1: listed("""impress/impresses/impressed delight/delights/delighted entertain/entertains/entertained
        charm/charms/charmed amaze/amazes/amazed please/pleases/pleased satisfy/satisfies/satisfied
        thrill/thrills/thrilled amuse/amuses/amused engage/engages/engaged captivate/captivates/captivated
        fascinate/fascinates/fascinated inspire/inspires/inspired excite/excites/excited touch/touches/touched
        enchant/enchants/enchanted astonish/astonishes/astonished dazzle/dazzles/dazzled
        convince/convinces/convinced"""),
    -1: listed("""disappoint/disappoints/disappointed bore/bores/bored annoy/annoys/annoyed
        irritate/irritates/irritated frustrate/frustrates/frustrated confuse/confuses/confused upset/upsets/upset
        offend/offends/offended disgust/disgusts/disgusted exhaust/exhausts/exhausted
        embarrass/embarrasses/embarrassed anger/angers/angered bother/bothers/bothered depress/depresses/depressed
        infuriate/infuriates/infuriated"""),
}
FEELINGS = {  # of a person for a thing
    1: listed(
        "love/loved enjoy/enjoyed like/liked adore/adored admire/admired appreciate/appreciated treasure/treasured"
    ),
    -1: listed("hate/hated dislike/disliked regret/regretted resent/resented detest/detested loathe/loathed"),
}
NOUNS = {
    1: listed("masterpiece gem delight triumph joy pleasure treat success treasure winner marvel bargain"),
    -1: listed("disaster mess disappointment failure joke bore nightmare flop letdown insult mistake ripoff"),
}
QUALITIES = {
    1: listed("charm style depth warmth heart soul wit elegance quality character imagination energy class humour"),
    -1: listed("flaws faults mistakes problems weaknesses errors defects shortcomings annoyances disappointments"),
}
COMPARATIVES = {1: listed("better nicer finer"), -1: listed("worse uglier sadder")}
SUPERLATIVES = {1: listed("best finest nicest greatest"), -1: listed("worst ugliest dullest weakest")}
DEGREES = {
    "deg": listed("""very really so truly extremely utterly absolutely incredibly remarkably completely totally
        thoroughly simply unbelievably deeply highly exceptionally"""),
    "mild": ["quite", "rather", "fairly", "pretty", "a little", "slightly", "somewhat", "a bit", "mostly", "mildly"],
    "toodim": listed("long short loud expensive small complicated sweet hot hard early far crowded simple serious"),
    "adv": listed("always often really simply clearly certainly still truly usually constantly again obviously"),
}

# --- what is reviewed ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Topic:
    """Things to review, their parts (singular and plural), and what people do with them."""

    family: str
    things: Sequence[str]
    parts: Sequence[str]
    plurals: Sequence[str]
    did: Sequence[str]
    doing: Sequence[str]


TOPICS = (
    Topic(
        "story",
        listed("film movie picture comedy drama sequel thriller documentary western remake"),
        listed("""acting plot story script dialogue ending cast music camera direction soundtrack pacing performance
            opening humour photography scenery editing"""),
        listed("actors characters jokes effects scenes costumes performances songs dialogues"),
        listed("watched saw"),
        listed("watching seeing"),
    ),
    Topic(
        "story",
        listed("book novel story biography poem guide memoir sequel"),
        listed("plot writing style ending prose language beginning translation narrator hero chapter"),
        listed("characters chapters descriptions pictures pages ideas dialogues"),
        listed("read finished borrowed bought"),
        listed("reading buying"),
    ),
    Topic(
        "story",
        listed("show concert play musical series episode album opera game"),
        listed("music band singer sound orchestra singing voice stage lighting host rhythm"),
        listed("songs dancers musicians voices lyrics melodies levels graphics"),
        listed("saw watched heard"),
        listed("seeing hearing"),
    ),
    Topic(
        "food",
        listed("restaurant cafe meal dinner lunch bar pizzeria bakery"),
        listed("food service soup steak pizza dessert wine menu coffee sauce salad bread fish waiter chef chicken"),
        listed("dishes waiters drinks portions desserts vegetables cakes starters"),
        listed("tried visited booked"),
        listed("visiting trying"),
    ),
    Topic(
        "stay",
        listed("hotel hostel apartment resort place campsite room"),
        listed("room bed bathroom breakfast service staff lobby pool view kitchen garden receptionist shower"),
        listed("rooms beds receptionists towels walls pillows hosts"),
        listed("booked visited chose"),
        listed("booking choosing visiting"),
    ),
    Topic(
        "device",
        listed("phone laptop camera printer tablet watch speaker vacuum toaster headset"),
        listed("battery screen sound keyboard design software display picture case manual signal speaker"),
        listed("buttons speakers controls settings cables features instructions"),
        listed("bought ordered tried"),
        listed("buying ordering"),
    ),
)
FILLERS: dict[str, Sequence[str]] = {
    "who": listed("""me us everyone my-friends my-wife the-children the-audience my-family viewers anyone people
        the-critics you my-parents"""),
    "person": listed("""mother father sister brother wife husband daughter son friend neighbour colleague boss uncle
        aunt teacher grandmother cousin partner"""),
    "when": listed("""yesterday on-friday last-week in-june on-sunday this-morning two-weeks-ago last-night
        during-the-holidays in-the-evening on-my-birthday last-year on-monday after-work in-winter in-summer"""),
    "where": listed("""at-home in-london in-the-city near-the-station on-the-train in-town at-the-airport by-the-sea
        downtown in-spain at-the-office in-paris"""),
    "plain": listed("first second whole new last main local small big old usual famous french italian little"),
    "owner": listed("her his their its"),
}
NEUTRAL = (
    "[I|we] {did} {t} {when}",
    "[I|we] {did} {t} with my {person} {when}",
    "my {person} [gave|lent|recommended|showed] {t} to me {when}",
    "I {did} it {where}",
    "this was [our|my] [first|second|third] [visit|time|one]",
    "it was [raining|snowing|sunny|late|cold outside] {when}",
    "my {person} came along",
    "we were [two|three|four|five|six] people",
    "I am writing this [for|with] my {person}",
    "the {plain} {part} came [first|last|after that]",
    "{t} [has|had] a [red|blue|green|black|white|grey] [cover|door|front|sign|box]",
    "we [arrived|left|met|started] [early|late|at noon|before six|after eight] {when}",
    "I [live|work|stay] {where} and {did} {t} {when}",
    "as [always|usual] we went [together|alone] {when}",
    "we paid [ten|twenty|thirty|fifty] [dollars|euros|pounds] for it",
)
NOISE = listed("""about above across afternoon almost already also another area around because before behind between
    both bottle box building bus car chair city corner country couple course day door during each eight end even
    evening every eye face fact few floor front glass group guess hand head hour house however idea inside into job
    just kind kitchen later left letter life likely line lot man many maybe meeting minute moment month more most
    much name near nearly next night number office once one only order other outside over own paper part party
    perhaps phone place point price question reason right road room same seat second series seven shop side since
    some something son sometimes soon sort spring staff start station stop street such table taken team ten than
    their then these thing think those though three through time today together tomorrow top town trip turn under
    until upon used version view wall water way week weekend well which while whole why window within woman word work
    world year young your actor actress author character director writer producer version chapter guest customer
    owner manager delivery package cover colour size shape weight price tip bill queue table street taxi""")
CONTRACTIONS = listed("""aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mustn't needn't
    shouldn't wasn't weren't won't wouldn't ain't it's that's there's i'm i've i'd i'll we've we're we'd we'll you'll
    you're you've they're they've he's she's what's who's let's here's cannot""")
COMMON = listed("""a an and are as at be been being but by can could did do does for from get go going had has have
    he her him his how i if in is it its made make may might my never no nobody none nor not nothing of off on or our
    out she should so that the them there they this to too up was we were what when where who will with without would
    you say said see seen take took came come give gave went want wanted need needed know knew find found feel felt
    look looked seem seemed put use try keep kept let back again ever very really down after""")
_NEGATING = re.compile(r".*n't|cannot|n[eo].*|without|too|but|could|hardly")  # no noise
PIECES = listed("##s ##es ##d ##ed ##ing ##ly ##er ##est ##'s ##' ##y ##ness ##ment")
PUNCTUATION = list(".,!?;:-'\"()&/%$*")

# --- grammar -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """A template with the sign it gives to its sentiment slot (``{adj}``; ``{adj+}`` and ``{adj-}`` are fixed).

    ``[a|b]`` is a choice, ``{adj~}`` a word of the opposite sign, ``tag`` the phenomenon: n(egation), i(ntensifier).
    """

    sign: int
    template: str
    tag: str = ""
    weight: float = 1.0
    plus: float = 0.5


FRAMES = (
    # adjectives
    Frame(1, "{s} {is} {adj}", weight=7),
    Frame(1, "{s} {is} {adj} and {adj}", weight=2),
    Frame(1, "[a|an|such a|what a|one] {adj} {thing}", weight=2),
    Frame(1, "[this is a|it was a|here is a] {adj} {thing}", weight=2),
    Frame(1, "[I|we] [found|thought|considered] {s} {adj}", weight=2),
    Frame(1, "{t} has {adj} {parts}", weight=2),
    Frame(1, "{s} [looks|sounds|feels|seems] {adj}", weight=1),
    Frame(1, "{adj} {parts} and [a|the] {adj} {part}"),
    Frame(1, "{s} {is} {deg} {adj}", "i", 5),
    Frame(1, "[this is a|it was a|what a] {deg} {adj} {thing}", "i", 2),
    Frame(1, "{s} {is} {mild} {adj}", "i", 3),
    Frame(1, "{deg} {adj} {parts}", "i"),
    Frame(-1, "{s} {is} [barely|scarcely|hardly] {adj+}", "i", 2),
    Frame(-1, "{s} {is} [far too|much too|too|a bit too] {toodim}", "i", 3),
    Frame(1, "{s} {isnt} too {toodim}", "ni", 1.5),
    Frame(-1, "{s} {isnt} {adj}", "n", 6),
    Frame(-1, "{s} {isnt} {adj} at all", "n", 2),
    Frame(-1, "{s} {isnt} [very|really|particularly|especially] {adj}", "ni", 2),
    Frame(-1, "{s} {isnt} [that|so|too] {adj}", "ni", 1.5, 0.3),
    Frame(-1, "{s} {is} [never|not once|by no means|far from|anything but|in no way] {adj}", "n", 3),
    Frame(1, "{s} {is} never less than {adj+}", "n", 0.7),
    Frame(1, "{s} {is} nothing short of {adj}", "n", 0.7),
    Frame(-1, "{s} {is} [neither|not] {adj} nor {adj}", "n"),
    Frame(-1, "{s} {is} not {adj} but {adj~}", "n"),
    Frame(1, "{s} {is} not [only|just] {adj} but also {adj}", "n"),
    Frame(-1, "[this is not a|it was not a|hardly a|not a|this was no] {adj} {thing}", "n", 2),
    Frame(-1, "[I|we] [didn't find|did not find|never found|wouldn't call] {s} {adj}", "n", 2),
    Frame(
        -1, "[there was not a|not a|never a|not one|there is never a] {adj} [moment|minute|second] [in|with] {t}", "n"
    ),
    Frame(-1, "nothing about {t} {was} {adj}", "n", 1.5),
    Frame(1, "everything about {t} {was} {adj}", "", 1.5),
    Frame(-1, "[nobody|no one] [called|found|thought] {s} {adj}", "n"),
    # verbs
    Frame(1, "{s} {verbs}{obj}", weight=3),
    Frame(1, "{s} {adv} {verbs}{obj}", "", 3),
    Frame(1, "{s} {manages} to {verb}{obj}", "", 5, 0.8),
    Frame(1, "{s} {adv} {manages} to {verb}{obj}", "", 14, 0.8),
    Frame(1, "{s} {is} [sure|bound|able|meant] to {verb}{obj}", "", 5, 0.8),
    Frame(-1, "{s} {is} [unable|unlikely] to {verb}{obj}", "n", 1, 0.8),
    Frame(-1, "{s} {fails} to {verb}{obj}", "n", 4, 0.8),
    Frame(-1, "{s} [often|simply|clearly|still|mostly|always|completely|utterly] {fails} to {verb}{obj}", "n", 7, 0.8),
    Frame(1, "{s} [never|never|never|rarely|seldom|hardly ever] {fails} to {verb}{obj}", "n", 2.5, 0.8),
    Frame(1, "{s} {doesnt} fail to {verb}{obj}", "n", 1.5, 0.8),
    Frame(-1, "{s} [never|never|never|rarely|hardly ever] {manages} to {verb}{obj}", "n", 6, 0.8),
    Frame(-1, "{s} {doesnt} manage to {verb}{obj}", "n", 1, 0.8),
    Frame(-1, "{s} {doesnt} {verb}{obj}", "n", 4),
    Frame(-1, "{s} {doesnt} {verb}{obj} at all", "n", 1),
    Frame(-1, "{s} [never|rarely|seldom|hardly ever|hardly] {verbs}{obj}", "n", 4),
    Frame(1, "[I was|we were] {deg} {verbed} by {s}", "i", 2),
    Frame(1, "[I was|we were|I am] {verbed} by {s}", "", 2),
    Frame(-1, "[I was not|I wasn't|we weren't|we were not] {verbed} by {s}", "n", 2),
    Frame(-1, "nothing in {t} {verbed} [me|us]", "n"),
    Frame(1, "{t} has [always|already] {verbed} [me|us]"),
    Frame(-1, "{t} [hasn't|has not|has never|hadn't] {verbed} [me|us]", "n", 1.5),
    Frame(1, "{s} [will|would|might|can] {verb}{obj}"),
    Frame(-1, "{s} [will not|won't|wouldn't|cannot|can't] {verb}{obj}", "n", 2),
    Frame(-1, "[nobody|no one] was {verbed} by {s}", "n"),
    Frame(1, "[everyone|everybody] was {verbed} by {s}"),
    # what people feel and advise
    Frame(1, "[I|we|my {person}|everyone] {felt} {s}", "", 4),
    Frame(1, "[I|we] [really|truly|absolutely|deeply] {felt} {s}", "i", 2),
    Frame(-1, "[I|we|my {person}] [did not|didn't|never|couldn't] {feel} {s}", "n", 4),
    Frame(-1, "[nobody|no one|none of us] {felt} {s}", "n"),
    Frame(-1, "[I|we|they] [haven't|hadn't|have not|have never] {felt} {s}", "n"),
    Frame(1, "[you will|you'll|you might|they'll] {feel} {s}"),
    Frame(-1, "[you will not|you won't|they won't] {feel} {s}", "n"),
    Frame(1, "it is [easy] to {feel} {s}"),
    Frame(-1, "it is [hard|difficult|impossible] to {feel} {s}", "n", 1.5),
    Frame(1, "it is [hard|difficult|impossible] not to {feel} {s}", "n"),
    Frame(1, "[I would|I can|we would|I'd|you should|I] [recommend|highly recommend|gladly recommend] {t}{to}", "", 3),
    Frame(-1, "[I would not|I can't|we wouldn't|I'd never|I cannot|I don't|I won't] recommend {t}{to}", "n", 3),
    Frame(
        1, "[I would|we will|I'd] [gladly|happily|certainly] [come back|return|buy it again|choose it again]", "", 1.5
    ),
    Frame(-1, "[I would not|we will never|I won't] [come back|return|buy it again|choose it again]", "n", 1.5),
    Frame(
        1,
        "[do not|don't|you should not|you shouldn't|you mustn't] [miss|skip|hesitate to buy|hesitate to visit] {t}",
        "n",
    ),
    Frame(
        -1,
        "[do not|don't|you should not|you shouldn't|you needn't|never] [buy|visit|choose|pay for|bother with] {t}",
        "n",
        1.5,
    ),
    Frame(-1, "[avoid|skip|stay away from|please avoid] {t}"),
    Frame(1, "[go and see|you must try|give a chance to|treat yourself to] {t}"),
    Frame(1, "{t} {is} worth [the money|every penny|the price|your time|the trip]", "", 2),
    Frame(-1, "{t} {isnt} worth [the money|a penny|the price|your time|the trip]", "n", 2),
    Frame(-1, "{t} {is} a waste of [money|time|paper|energy]", "", 2),
    Frame(1, "{t} {isnt} a waste of [money|time|paper|energy]", "n"),
    Frame(-1, "[I|we] regret {doing} {t}"),
    Frame(1, "[I|we] [do not|don't|never] regret {doing} {t}", "n"),
    Frame(1, "[I am|we are] glad about {doing} {t}"),
    # nouns and qualities
    Frame(1, "{t} {is} [a|a real|a true] {noun}", "", 3),
    Frame(1, "{t} {is} an [absolute|utter] {noun}", "i"),
    Frame(-1, "{t} {is} [no|hardly a|not a|far from a] {noun}", "n", 2.5),
    Frame(1, "{s} {has} [much|plenty of|lots of|so much] {quality}", "i", 1.5),
    Frame(1, "{s} {is} full of {quality}", "", 2),
    Frame(-1, "{s} {has} no {quality}", "n", 2),
    Frame(-1, "{s} [lacks|lacked] {quality+}", "n", 1.5),
    Frame(-1, "{s} {is} [without|lacking in] {quality+}", "n", 1.5),
    Frame(1, "{s} {is} [without|free of] {quality-}", "n", 1.5),
    Frame(1, "{s} {is} not without {quality}", "n"),
    Frame(-1, "{t} has no [redeeming|saving] [qualities|features|graces]", "n"),
    Frame(1, "{t} has many [redeeming|good|strong] [qualities|features|sides]"),
    Frame(-1, "there is nothing to {feel} about {t}", "n", 1.5),
    Frame(1, "there is [much|plenty|a lot] to {feel} about {t}", "i"),
    Frame(-1, "[there is nothing|I see nothing|nothing is] {adj} about {t}", "n"),
    Frame(1, "there is nothing wrong with {s}", "n"),
    Frame(-1, "[there is something|something is] wrong with {s}"),
    # comparisons
    Frame(-1, "{s} could [be|have been] {comp}", "n", 2),
    Frame(1, "{s} [could not|couldn't] [be|have been] {comp}", "n", 3),
    Frame(1, "{s} {is} [much|far|even|so much] {comp} than [I|we] [expected|hoped|feared|thought]", "i", 2),
    Frame(-1, "{s} {is} no {comp} than [before|the old one|the rest]", "n"),
    Frame(-1, "{s} {isnt} as {adj} as [I|we] [expected|hoped|feared|thought]", "n", 1.5),
    Frame(-1, "{s} {is} less {adj} than [I|we] [expected|hoped|feared|thought]", "n"),
    Frame(1, "[this is|it was] the {super} {thing} [of the year|I know|I have ever seen|in town|of all]", "", 2),
    Frame(-1, "[this is|it was] not the {super} {thing} [of the year|I know|I have ever seen|in town]", "n"),
    Frame(1, "[I have never|we have never|I've never] [seen|had|known] a {comp} {thing}", "n", 1.5),
    Frame(-1, "[I have|we have|I've] [seen|had|known] {comp} {things}", "n"),
    Frame(1, "it is [hard|impossible] to find a {comp} {thing}", "n"),
)
_FRAME_WEIGHTS = [frame.weight for frame in FRAMES]
CONTRASTS = (  # {a} is conceded, {b} wins
    (3.0, "{a}, but {b}"),
    (1.0, "{a}, yet {b}"),
    (3.0, "[although|though|even though|while] {a}, {b}"),
    (1.5, "{b}, [although|though|even though] {a}"),
    (1.0, "{a}. [however|still|nevertheless], {b}"),
    (0.7, "{a}. but {b}"),
    (2.0, "[despite|in spite of] {np}, {b}"),
    (1.0, "{b} [despite|in spite of] {np}"),
    (0.7, "[I expected|we feared|I thought|people say|my {person} said] that {a}, but {b}"),
    (0.5, "{a}, but [in the end|on the whole|all in all] {b}"),
)
JOINED = (
    (3.0, "{a} and {b}"),
    (1.5, "{a}, and {b}"),
    (1.5, "{a}. {b}"),
    (0.7, "{a}; {b}"),
    (0.7, "{a} because {b}"),
    (0.5, "{a}, so {b}"),
)
BESIDE = (  # {n} is neutral
    (2.0, "{n}. {b}"),
    (2.0, "{b}. {n}"),
    (1.5, "{n} and {b}"),
    (0.7, "{n}, but {b}"),
    (0.7, "when {n}, {b}"),
    (0.5, "[honestly|in short|in my opinion|to be honest|overall|for me], {b}"),
)
GROUP = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{(\w+)([+~-]?)\}")


@dataclass(frozen=True)
class Phrase:
    """A text, its truth (1 or -1), its phenomena, and the combinations it is made of."""

    text: str
    sign: int
    tags: frozenset[str] = frozenset()
    pairs: frozenset[str] = frozenset()


def pick_group(template: str, rng: random.Random) -> str:
    """Return a template whose ``[a|b]`` are chosen."""
    return GROUP.sub(lambda match: rng.choice(match[1].split("|")), template)


def spaced(words: Sequence[str], rng: random.Random) -> str:
    """Return one of the phrases, which are written with hyphens."""
    return rng.choice(words).replace("-", " ")


class Writer:
    """Fill the slots of one clause: topic, number, tense and sign are drawn once."""

    def __init__(self, rng: random.Random, topic: Topic, sign: int) -> None:
        self.rng, self.topic, self.sign = rng, topic, sign
        self.plural, self.past = rng.random() < 0.3, rng.random() < 0.5
        self.leading = False
        self.stems: list[str] = []

    def fill(self, template: str) -> str:
        """Return the template with every slot filled."""
        self.plural &= "{s}" in template  # all other subjects are singular
        self.leading = template.startswith("{s}")
        return SLOT.sub(lambda match: self.slot(match[1], match[2]), template)

    def slot(self, name: str, mark: str) -> str:
        """Return words for one slot."""
        if name in _SENTIMENT:
            sign = {"+": 1, "-": -1, "~": -self.sign}.get(mark, self.sign)
            return self.sentiment(name, sign)
        if name in _AGREEING:
            return self.rng.choice(_AGREEING[name][2 * self.past + self.plural])
        if name in FILLERS:
            return spaced(FILLERS[name], self.rng)
        if name in DEGREES:
            return self.rng.choice(DEGREES[name])
        return self.noun_phrase(name)

    def sentiment(self, name: str, sign: int) -> str:
        """Return a word with the given sign, and note its stem."""
        table = _SENTIMENT[name]
        words = table[sign]
        if name == "adj" and self.rng.random() < 0.45:
            words = TOPIC_ADJECTIVES[self.topic.family][sign]
        forms = self.rng.choice(words).split("/")
        self.stems.append(forms[0])
        if name == "verbs":
            return forms[2] if self.past else forms[0 if self.plural else 1]
        return forms[-1] if name in ("verbed", "felt") else forms[0]

    def noun_phrase(self, name: str) -> str:
        """Return a subject, a thing, a part or an object."""
        rng, topic = self.rng, self.topic
        simple: dict[str, Sequence[str]] = {
            "thing": topic.things,
            "part": topic.parts,
            "parts": topic.plurals,
            "did": topic.did,
            "doing": topic.doing,
        }
        if name in simple:
            return rng.choice(simple[name])
        if name == "things":
            return rng.choice(topic.things) + "s"
        if name == "t":
            return rng.choice(("this ", "the ", "this ", "that ")) + rng.choice(topic.things)
        if name == "obj":
            return " " + spaced(FILLERS["who"], rng) if rng.random() < 0.35 else ""
        if name == "to":
            return " to " + spaced(FILLERS["who"], rng) if rng.random() < 0.5 else ""
        return self.subject()

    def subject(self) -> str:
        """Return what the clause is about, singular or plural."""
        rng, topic = self.rng, self.topic
        kind = rng.random()
        if kind < 0.08 and self.leading:
            return "they" if self.plural else rng.choice(("it", "this", "it all"))
        if kind < 0.28 and not self.plural:
            return rng.choice(("this ", "the ", "that ")) + rng.choice(topic.things)
        part = rng.choice(topic.plurals if self.plural else topic.parts)
        if kind < 0.45:
            return rng.choice(FILLERS["owner"][0 if topic.family == "story" else 2 :]) + " " + part
        if kind < 0.55:
            return f"the {part} of this {rng.choice(topic.things)}"
        if kind < 0.65:
            return f"the {rng.choice(FILLERS['plain'])} {part}"
        return "the " + part


_SENTIMENT: dict[str, dict[int, list[str]]] = {
    "adj": ADJECTIVES,
    "verb": VERBS,
    "verbs": VERBS,
    "verbed": VERBS,
    "feel": FEELINGS,
    "felt": FEELINGS,
    "noun": NOUNS,
    "quality": QUALITIES,
    "comp": COMPARATIVES,
    "super": SUPERLATIVES,
}
_AGREEING: dict[str, tuple[list[str], ...]] = {  # present singular, present plural, past singular, past plural
    "is": (["is"], ["are"], ["was"], ["were"]),
    "was": (["is", "was"], ["are", "were"], ["was"], ["was", "were"]),
    "isnt": (
        ["isn't", "is not", "isn't", "is not", "ain't"],
        ["aren't", "are not"],
        ["wasn't", "was not"],
        ["weren't", "were not"],
    ),
    "wasnt": (["am not", "wasn't"], ["are not", "weren't"], ["was not", "wasn't"], ["were not", "weren't"]),
    "doesnt": (["doesn't", "does not"], ["don't", "do not"], ["didn't", "did not"], ["didn't", "did not"]),
    "has": (["has"], ["have"], ["had"], ["had"]),
    "fails": (["fails"], ["fail"], ["failed"], ["failed"]),
    "manages": (
        ["manages", "continues", "begins", "promises"],
        ["manage", "continue", "begin", "promise"],
        ["managed", "continued", "began", "promised"],
        ["managed", "continued", "began", "promised"],
    ),
}


def weighted(rng: random.Random, rows: Sequence[tuple[float, str]]) -> str:
    """Return one template, drawn by weight, with its choices made."""
    weights, templates = zip(*rows, strict=True)
    return pick_group(rng.choices(templates, weights)[0], rng)


def make_clause(rng: random.Random, topic: Topic) -> Phrase:
    """Return one clause about a topic, with the truth that its frame and its words give."""
    frame = rng.choices(FRAMES, _FRAME_WEIGHTS)[0]
    template = pick_group(frame.template, rng)
    free = re.search(r"\{(?:" + "|".join(_SENTIMENT) + r")\}", template)
    sign = (1 if rng.random() < frame.plus else -1) if free else 1
    writer = Writer(rng, topic, sign)
    text = writer.fill(template)
    names = {"n": "negation", "i": "intensifier"}
    pairs = frozenset(f"{template} + {stem}" for stem in writer.stems)
    return Phrase(text, frame.sign * sign, frozenset(names[tag] for tag in frame.tag), pairs | {template})


def join(rng: random.Random, topic: Topic, rows: Sequence[tuple[float, str]], sign_of_a: int) -> Phrase:
    """Return two clauses in one sentence; ``sign_of_a`` relates the truth of ``{a}`` to that of ``{b}``, which wins."""
    template = weighted(rng, rows)
    winner = make_clause(rng, topic)
    other = make_clause(rng, topic)
    while other.sign != sign_of_a * winner.sign:
        other = make_clause(rng, topic)
    writer = Writer(rng, topic, sign_of_a * winner.sign)
    noun_phrase = writer.fill(
        rng.choice(("the {adj} {part}", "its {adj} {parts}", "all the {quality}", "the {adj} {parts}"))
    )
    neutral = writer.fill(pick_group(rng.choice(NEUTRAL), rng))
    person = rng.choice(FILLERS["person"])
    parts = {"a": other.text, "b": winner.text, "np": noun_phrase, "n": neutral, "person": person}
    text = SLOT.sub(lambda match: parts[match[1]], template)
    used = winner if "{a}" not in template else Phrase("", 0, winner.tags | other.tags, winner.pairs | other.pairs)
    tags = used.tags | ({"contrast"} if rows is CONTRASTS else set())
    frames = {pair for pair in used.pairs if " + " not in pair}
    return Phrase(text, winner.sign, tags, used.pairs | {f"{template} + {frame}" for frame in frames})


def make_review(rng: random.Random) -> Phrase:
    """Return one or two sentences with a truth."""
    topic = rng.choice(TOPICS)
    kind = rng.random()
    if kind < 0.42:
        phrase = make_clause(rng, topic)
    elif kind < 0.72:
        phrase = join(rng, topic, CONTRASTS, -1)
    elif kind < 0.84:
        phrase = join(rng, topic, JOINED, 1)
    else:
        phrase = join(rng, topic, BESIDE, -1)
    text = re.sub(r"\ban? (?=([aeiou])?)", lambda match: "an " if match[1] else "a ", phrase.text)
    sentences = [part[0].upper() + part[1:] for part in text.split(". ")]
    end = rng.choice((".", ".", ".", "!", ""))
    return Phrase(". ".join(sentences) + end, phrase.sign, phrase.tags, phrase.pairs)


def make_loose(rng: random.Random) -> Phrase:
    """Return neutral and unknown words in any order, with one or two words of sentiment, or none (truth by chance).

    Outside its grammar the network then goes by words of sentiment, and is unsure where there are none.
    """
    sign = rng.choice((1, -1))
    neutral = [word for word in COMMON if not _NEGATING.fullmatch(word)] + NOISE
    texts = ["xqxq" if rng.random() < 0.2 else rng.choice(neutral) for _ in range(rng.randint(SHORTEST - 1, 16))]
    tables = [ADJECTIVES, TOPIC_ADJECTIVES[rng.choice(TOPICS).family], VERBS, FEELINGS, NOUNS]
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        word = rng.choice(rng.choice(tables)[sign])
        texts.insert(rng.randrange(len(texts) + 1), rng.choice(word.split("/")))
    text = " ".join(word + "," if rng.random() < 0.05 else word for word in texts)
    return Phrase(text + rng.choice((".", "!", "")), sign)


def is_held_out(pair: str, seed: int) -> bool:
    """Return whether a combination is kept from training: one in ten, and those of the example sentence."""
    if pair == "{s} never {fails} to {verb}{obj} + impress":
        return True
    digest = blake2b(f"{seed}:{pair}".encode(), digest_size=4).digest()
    return " + " in pair and int.from_bytes(digest, "big") < HELD_OUT * 2**32


def plain(text: str) -> str:
    """Return a text's words in lower case, without punctuation."""
    return " ".join(re.findall(r"[\w']+", text.lower()))


def balanced_reviews(
    rng: random.Random, count: int, wanted: Callable[[Phrase], bool], seen: set[str], loose: float = 0.0
) -> list[Phrase]:
    """Return distinct reviews not in ``seen`` (extended), of which every length has as many of each truth."""
    waiting: dict[int, dict[int, list[Phrase]]] = {}
    reviews: list[Phrase] = []
    while len(reviews) < count:
        phrase = make_loose(rng) if rng.random() < loose else make_review(rng)
        key, length = plain(phrase.text), len(phrase.text.split())
        if key in seen or not SHORTEST <= length <= LONGEST or not wanted(phrase):
            continue
        seen.add(key)
        queues = waiting.setdefault(length, {1: [], -1: []})
        if queues[-phrase.sign]:
            reviews += [queues[-phrase.sign].pop(), phrase]
        else:
            queues[phrase.sign].append(phrase)
    return reviews[:count]


@dataclass(frozen=True)
class Reviews:
    """Training sentences, test sentences, and test sentences with combinations that training lacks."""

    train: list[Phrase]
    test: list[Phrase]
    unseen: list[Phrase]


def make_reviews(seed: int) -> Reviews:
    """Write all sentences; no two are alike, and none is a sentence written by hand."""
    rng = random.Random(seed)
    seen = {plain(text) for text, _ in HAND + LATER}

    def old(phrase: Phrase) -> bool:
        return not any(is_held_out(pair, seed) for pair in phrase.pairs)

    train = balanced_reviews(rng, N_TRAIN, old, seen, LOOSE)
    test = balanced_reviews(rng, N_TEST, old, seen)
    unseen = balanced_reviews(rng, N_UNSEEN, lambda phrase: not old(phrase), seen)
    return Reviews(train, test, unseen)


# Sentences written by hand before the first training, with their truth. The first five follow the grammar.
HAND = (
    (EXAMPLE, 1),
    ("The food was not bad at all", 1),
    ("Not a dull moment in this film", 1),
    ("Although the plot is thin, the acting is superb", 1),
    ("I would not recommend this hotel to anyone", -1),
    ("I could happily watch this movie again tomorrow.", 1),
    ("The waiter ignored us for half an hour and the soup arrived cold.", -1),
    ("My phone died after two days and nobody at the shop would help.", -1),
    ("What a charming little book, I finished it in one sitting!", 1),
    ("The battery lasts forever and the screen is gorgeous.", 1),
    ("It isn't the worst sequel I've seen, but it's close.", -1),
    ("You won't find a friendlier crew anywhere.", 1),
    ("Despite its wonderful cast, the film drags on and on.", -1),
    ("Nobody in the audience laughed even once.", -1),
    ("The room smelled of smoke and the bed was broken.", -1),
    ("I was sceptical at first, but this restaurant won me over.", 1),
    ("Hardly a page goes by without a good joke.", 1),
    ("The director doesn't understand what made the original so great.", -1),
    ("There's no reason to stay anywhere else when you visit Lisbon.", 1),
    ("The breakfast was cold, the staff rude, and the walls paper-thin.", -1),
    ("Don't waste your evening on this.", -1),
    ("This laptop does everything I need and it never crashes.", 1),
    ("The story is predictable, yet I couldn't stop reading.", 1),
    ("It's not that the songs are bad, they just aren't memorable.", -1),
    ("A triumph from start to finish.", 1),
)
# Written after the last change of grammar and training, before the training that followed.
LATER = (
    ("We had a lovely time and the kids didn't want to leave.", 1),
    ("The plot makes no sense and the jokes fall flat.", -1),
    ("After one week the screen cracked and support never answered.", -1),
    ("An honest, moving story that stays with you for days.", 1),
    ("I've had better pizza from a petrol station.", -1),
    ("The singer was out of tune most of the night.", -1),
    ("Even my grumpy uncle smiled at this one.", 1),
    ("Not perfect, but easily the best meal of our trip.", 1),
    ("Cheap, fast and surprisingly good.", 1),
    ("The manager apologised, yet our money was never returned.", -1),
    ("It does not get much better than this.", 1),
    ("Three hours of my life that I will never get back.", -1),
    ("The bed was comfortable and the view was worth every penny.", 1),
    ("This book put me to sleep.", -1),
    ("Their lawyers write better dialogue.", -1),
    ("I can't wait to read it again.", 1),
    ("Its camera takes sharp pictures even in the dark.", 1),
    ("The ending ruined an otherwise decent film.", -1),
    ("None of the staff seemed to care.", -1),
    ("She sings beautifully and the band is tight.", 1),
)

# --- tokenizer and network -----------------------------------------------------------------------------------------


def strings_of(table: Any) -> Iterator[str]:
    """Yield every string in nested tables of words."""
    if isinstance(table, str):
        yield table
    elif isinstance(table, Topic):
        yield from strings_of([table.things, table.parts, table.plurals, table.did, table.doing])
        yield from (thing + "s" for thing in table.things)
    elif isinstance(table, Frame):
        yield SLOT.sub(" ", table.template)
    elif isinstance(table, dict):
        yield from strings_of(list(table.values()))
    elif isinstance(table, Iterable):
        for part in table:
            yield from strings_of(part)


def vocabulary() -> list[str]:
    """Return the special tokens, punctuation, pieces and all words of the tables, sorted."""
    tables = [ADJECTIVES, TOPIC_ADJECTIVES, _SENTIMENT, DEGREES, TOPICS, FILLERS, NOISE, CONTRACTIONS, COMMON, FRAMES]
    sentences = [NEUTRAL, CONTRASTS, JOINED, BESIDE, _AGREEING]
    text = " ".join(SLOT.sub(" ", string) for string in strings_of([tables, sentences]))
    words = set(re.findall(r"\w+(?:'\w+)?", text.lower().replace("é", "e")))
    return [*SPECIAL, *PUNCTUATION, *PIECES, *sorted(words)]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Return a lower-casing tokenizer of words and a few endings; an unknown word is one ``[UNK]``."""
    ids = {token: number for number, token in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=60))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.BertNormalizer(lowercase=True, strip_accents=True), normalizers.Replace("\u2019", "'")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+(?:'\w+)*|[^\w\s]"), behavior="removed", invert=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **named)


def make_network(vocabulary_size: int) -> BertForSequenceClassification:
    """Return an untrained network."""
    config = BertConfig(
        vocab_size=vocabulary_size,
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=128,
        hidden_dropout_prob=0.05,
        attention_probs_dropout_prob=0.05,
        pad_token_id=PAD,
        id2label=LABELS,
        label2id={name: number for number, name in LABELS.items()},
    )
    return BertForSequenceClassification(config)


# --- training ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Encoded:
    """Token ids, the number of each token's word (-1: none), and labels, padded to one length."""

    ids: np.ndarray
    words: np.ndarray
    labels: np.ndarray

    def rows(self, index: np.ndarray) -> Encoded:
        """Return some rows, cut to the longest of them."""
        length = int((self.ids[index] != PAD).sum(axis=1).max())
        return Encoded(self.ids[index, :length], self.words[index, :length], self.labels[index])


def encode(tokenizer: PreTrainedTokenizerFast, phrases: Sequence[Phrase]) -> Encoded:
    """Tokenize reviews; a word is what stands between spaces, with its punctuation."""
    batch = tokenizer([phrase.text for phrase in phrases], return_offsets_mapping=True)
    width = max(map(len, batch["input_ids"]))
    ids = np.full((len(phrases), width), PAD)
    words = np.full((len(phrases), width), -1)
    for row, phrase in enumerate(phrases):
        tokens, offsets = batch["input_ids"][row], batch["offset_mapping"][row]
        ids[row, : len(tokens)] = tokens
        for column, (start, _) in enumerate(offsets[1:-1], start=1):
            words[row, column] = phrase.text.count(" ", 0, start)
    labels = np.array([phrase.sign > 0 for phrase in phrases], dtype=np.int64)
    return Encoded(ids, words, labels)


def noise_tokens(tokenizer: PreTrainedTokenizerFast, data: Encoded) -> np.ndarray:
    """Return tokens that may stand anywhere: neutral words, and all that no sentence holds, unless they negate."""
    used = set(np.unique(data.ids).tolist()) | set(range(len(SPECIAL)))
    numbers = tokenizer.get_vocab()
    free = {number for word, number in numbers.items() if number not in used and not _NEGATING.fullmatch(word)}
    return np.array(sorted(free | {numbers[word] for word in NOISE}))


def masked(batch: Encoded, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ids with each word masked, all its tokens, with the probability of its row."""
    drawn = rng.random((len(batch.ids), int(batch.words.max()) + 1))
    gone = np.take_along_axis(drawn, np.maximum(batch.words, 0), axis=1) < shares[:, None]
    return np.where(gone & (batch.words >= 0), MASK, batch.ids)


def noisy(batch: Encoded, noise: np.ndarray, rng: np.random.Generator) -> Encoded:
    """Return rows of which two in five have one more word, unknown or neutral, and some words unknown."""
    ids, words = (np.concatenate([part, part[:, -1:]], axis=1) for part in (batch.ids, batch.words))
    ids[:, -1], words[:, -1] = PAD, -1
    for row in np.flatnonzero(rng.random(len(ids)) < 0.4):
        at = int(rng.integers(1, (ids[row] != PAD).sum()))
        ids[row, at + 1 :], words[row, at + 1 :] = ids[row, at:-1].copy(), words[row, at:-1].copy()
        ids[row, at] = UNK if rng.random() < 0.5 else rng.choice(noise)
        words[row, at] = batch.words.max() + 1
    unknown = (words >= 0) & (rng.random(ids.shape) < 0.02)
    return Encoded(np.where(unknown, UNK, ids), words, batch.labels)


def batches(data: Encoded, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield rows of one epoch in batches of similar length, in random order."""
    order = rng.permutation(len(data.ids))
    lengths = (data.ids != PAD).sum(axis=1)
    chunks = []
    for start in range(0, len(order), 32 * BATCH):
        part = order[start : start + 32 * BATCH]
        part = part[np.argsort(lengths[part], kind="stable")]
        chunks += [part[at : at + BATCH] for at in range(0, len(part), BATCH)]
    for number in rng.permutation(len(chunks)):
        yield chunks[number]


def training_ids(batch: Encoded, noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return noisy ids of which half the rows have a random share of their words masked."""
    batch = noisy(batch, noise, rng)
    if rng.random() < 0.3:  # words and punctuation marks one by one
        alone = np.broadcast_to(np.arange(batch.words.shape[1]), batch.words.shape)
        batch = Encoded(batch.ids, np.where(batch.words >= 0, alone, -1), batch.labels)
    shares = np.where(rng.random(len(batch.ids)) < 0.5, rng.random(len(batch.ids)), 0)
    return masked(batch, shares, rng)


def train(network: BertForSequenceClassification, data: Encoded, noise: np.ndarray, seed: int) -> None:
    """Train in place."""
    rng = np.random.default_rng(seed)
    steps = EPOCHS * -(-len(data.ids) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = get_cosine_schedule_with_warmup(optimizer, steps // 20, steps)
    network.train()
    for epoch in range(EPOCHS):
        losses = []
        for index in batches(data, rng):
            batch = data.rows(index)
            ids = torch.from_numpy(training_ids(batch, noise, rng))
            logits = network(input_ids=ids, attention_mask=(ids != PAD).long()).logits
            loss = nn.functional.cross_entropy(logits, torch.from_numpy(batch.labels))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}", flush=True)
    network.eval()


def save(network: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the configuration, the weights (float16; the configuration asks for float32) and the tokenizer."""
    out.mkdir(parents=True, exist_ok=True)
    network.config.architectures = [type(network).__name__]
    network.config.save_pretrained(out)
    halves = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    (out / "model.safetensors").write_bytes(safetensors.torch.save(halves, metadata={"format": "pt"}))
    tokenizer.save_pretrained(out)
    for name, changes in {
        "config.json": {"dtype": "float32"},
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"},
    }.items():
        content = json.loads((out / name).read_text()) | changes
        (out / name).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


# --- measuring -----------------------------------------------------------------------------------------------------


@torch.no_grad()
def log_odds(network: nn.Module, ids: np.ndarray) -> np.ndarray:
    """Return the logit of positive less that of negative."""
    parts = []
    for start in range(0, len(ids), 256):
        part = torch.from_numpy(ids[start : start + 256])
        parts.append(network(input_ids=part, attention_mask=(part != PAD).long()).logits)
    logits = torch.cat(parts)
    return (logits[:, 1] - logits[:, 0]).numpy()


def accuracy(network: nn.Module, ids: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of rows whose class is right."""
    return float(np.mean((log_odds(network, ids) > 0) == labels))


def with_unknown(text: str, rng: random.Random) -> str:
    """Return a text with one more word, which is in no vocabulary."""
    words = text.split()
    words.insert(rng.randrange(len(words)), "xq" + "".join(rng.choices("bcdfgh", k=5)))
    return " ".join(words)


def measure(
    network: nn.Module, tokenizer: PreTrainedTokenizerFast, reviews: Reviews, seed: int
) -> list[tuple[str, int, float]]:
    """Return rows of name, number of sentences, accuracy."""
    data = encode(tokenizer, reviews.test)
    right = (log_odds(network, data.ids) > 0) == data.labels
    rows = [("test sentences, none in training", len(right), float(right.mean()))]
    for tag in ("plain", "negation", "contrast", "intensifier"):
        chosen = np.array([tag in phrase.tags or (tag == "plain" and not phrase.tags) for phrase in reviews.test])
        rows.append((f"of these: {tag}", int(chosen.sum()), float(right[chosen].mean())))
    unseen = encode(tokenizer, reviews.unseen)
    rows.append(("combinations never in training", len(unseen.ids), accuracy(network, unseen.ids, unseen.labels)))
    for share in (0.25, 0.5):
        ids = masked(data, np.full(len(data.ids), share), np.random.default_rng(seed))
        rows.append((f"test, {100 * share:.0f} % of the words masked", len(ids), accuracy(network, ids, data.labels)))
    words = random.Random(seed)
    odd = [Phrase(with_unknown(phrase.text, words), phrase.sign) for phrase in reviews.test]
    rows.append(
        ("test, one unknown word inserted", len(odd), accuracy(network, encode(tokenizer, odd).ids, data.labels))
    )
    for name, sentences in (
        ("follow the grammar", HAND[:5]),
        ("ordinary English", HAND[5:]),
        ("ordinary English, later", LATER),
    ):
        hand = encode(tokenizer, [Phrase(text, sign) for text, sign in sentences])
        rows.append((f"written by hand, {name}", len(sentences), accuracy(network, hand.ids, hand.labels)))
    return rows


def example_interactions(network: nn.Module, tokenizer: PreTrainedTokenizerFast) -> tuple[np.ndarray, dict[str, float]]:
    """Return the logits of positive for all masks of the example, and its pairwise Shapley interaction indices."""
    data = encode(tokenizer, [Phrase(EXAMPLE, 1)])
    words = EXAMPLE.split()
    n = len(words)
    keep = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 > 0
    kept = np.concatenate([keep, np.ones((2**n, 1), bool)], axis=1)[:, data.words[0]]  # word -1: always
    ids = torch.from_numpy(np.where(kept, data.ids, MASK))
    with torch.no_grad():
        values = network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, 1].double().numpy()
    pairs = {}
    for i, j in combinations(range(n), 2):
        total, a, b = 0.0, 1 << i, 1 << j
        for mask in range(2**n):
            if not mask & (a | b):
                gain = values[mask | a | b] - values[mask | a] - values[mask | b] + values[mask]
                total += gain / ((n - 1) * comb(n - 2, mask.bit_count()))
        pairs[f"{words[i]}, {words[j]}"] = float(total)
    return values, pairs


def example_lines(network: nn.Module, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """Return markdown that shows the example sentence: masked, and its interactions."""
    values, pairs = example_interactions(network, tokenizer)
    shown = {"complete": 63, "without *never*": 59, "without *fails*": 55, "without both": 51, "all masked": 0}
    lines = ["| sentence | logit of positive |", "| --- | --- |"]
    lines += [f"| {name} | {values[mask]:+.2f} |" for name, mask in shown.items()]
    lines += ["", "| pair | Shapley interaction index |", "| --- | --- |"]
    largest = sorted(pairs.items(), key=lambda item: -abs(item[1]))[:5]
    return lines + [f"| {name} | {value:+.3f} |" for name, value in largest]


CARD = """# A tiny review classifier

A `BertForSequenceClassification` (3 layers, 64 wide, 4 heads, {tokens} tokens, {weights:,} weights, float16 on disk,
{kilobytes} kB) that classifies English review sentences as positive or negative. It is small enough to ship with the
package, so that text examples and tests run without a download. It is a real transformer, with real interactions
between words, but **not** a general sentiment model.

It was trained from scratch by `tools/train_embedded.py`, in a few minutes on one CPU core, on {n_train:,}
sentences generated by a grammar in the same file, with labels computed by composition: negation flips, and the main
clause of a contrast wins. In half of the training sentences a random share of the words was replaced by `[MASK]`,
with the same label, so that the output for a partly masked sentence is close to the probability given the remaining
words; with all words masked both classes are about equally likely. {loose} % of the training texts are words in random
order, with or without words of sentiment, so that text outside the grammar is judged by such words. No third-party
text, weights or vocabulary were used.

## Accuracy

Measured by the training script, with the files in this folder.

| sentences | number | accuracy |
| --- | --- | --- |
{table}

"Combinations" are pairs of a frame ("... never fails to ...") and a word, or of a conjunction and a frame, of which one
in ten was excluded from training. Partly masked sentences are often undecidable: their accuracy has a ceiling below
100 %. The hand-written sentences were not chosen by the results: the first two groups were fixed before the first
training, the last one after the last change of grammar and training (the words in random order were added after the
results of the second group were known, so the last group is the fairer test). These were misclassified:

{wrong}

## The example

"{example}"; the combination of "never fails to" and "impress" was excluded from training. Absent
words are `[MASK]`; exact values of the logit of *positive* from all 64 masks:

{lines}

## Limits

It knows {tokens} tokens and the constructions of its grammar; on ordinary English outside them it is often wrong (see
the table). An unknown word is `[UNK]` and is mostly ignored, so sentiment that depends on one is guessed, as are
sentiment that must be inferred ("the soup arrived cold"), irony, and anything longer than two sentences. It can be
confident and wrong. Use it to study explanations, not to judge reviews.

Licence: MIT, as the package.
"""


def write_card(out: Path, rows: Sequence[tuple[str, int, float]]) -> str:
    """Write and return the model card of the model in a folder."""
    network, tokenizer = load(out)
    hand = encode(tokenizer, [Phrase(text, sign) for text, sign in HAND + LATER])
    odds = log_odds(network, hand.ids)
    failed = [
        f"- {text} (*{LABELS[sign > 0]}*; log-odds {odd:+.1f})"
        for (text, sign), odd in zip(HAND + LATER, odds, strict=True)
        if (odd > 0) != (sign > 0)
    ]
    card = CARD.format(
        tokens=len(tokenizer),
        weights=sum(weight.numel() for weight in network.parameters()),
        kilobytes=(out / "model.safetensors").stat().st_size // 1000,
        n_train=N_TRAIN,
        loose=round(100 * LOOSE),
        table="\n".join(f"| {name} | {number} | {100 * share:.1f} % |" for name, number, share in rows),
        wrong="\n".join(failed) or "- none",
        example=EXAMPLE,
        lines="\n".join(example_lines(network, tokenizer)),
    )
    (out / "README.md").write_text(card)
    return card


def load(folder: Path) -> tuple[Any, Any]:
    """Load a saved network and its tokenizer, as a user would."""
    network = AutoModelForSequenceClassification.from_pretrained(folder)
    return network.eval(), AutoTokenizer.from_pretrained(folder)


def main() -> None:
    """Write sentences, train, save, measure what was saved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    disable_progress_bar()
    torch.set_num_threads(1)
    started = time.perf_counter()
    reviews = make_reviews(arguments.seed)
    tokenizer = make_tokenizer()
    print(f"{len(reviews.train)} sentences, {len(tokenizer)} tokens, {time.perf_counter() - started:.0f} s", flush=True)
    data = encode(tokenizer, reviews.train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(arguments.seed)
        network = make_network(len(tokenizer))
        train(network, data, noise_tokens(tokenizer, data), arguments.seed)
    print(f"trained, {time.perf_counter() - started:.0f} s", flush=True)
    save(network, tokenizer, arguments.out)
    rows = measure(*load(arguments.out), reviews, arguments.seed)
    print(write_card(arguments.out, rows))


if __name__ == "__main__":
    main()
