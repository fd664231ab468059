"""General knowledge of the kind found in public first-aid and health leaflets, in our own words. No dosage of any drug."""


def six(what, i="I have"):
    """Six ways to ask for the specialist."""
    return [f"Who treats {what}?", f"Which doctor is for {what}?", f"{i} {what}. Which doctor?", f"Which specialist treats {what}?", f"Which doctor treats {what}?", f"{i} {what}. Who should I see?"]


def aid(what, case):
    """Six ways to ask for first aid."""
    return [f"First aid for {what}?", f"What to do for {what}?", f"{case}. What should I do?", f"How do I treat {what}?", f"What is the first aid for {what}?", f"{case}. What now?"]


def normal(what):
    return [f"What is a normal {what}?", f"Normal adult {what}?", f"Which {what} is normal?", f"What should an adult's {what} be?", f"What is the normal {what} of an adult?", f"Tell me the normal {what}."]


FACTS = [
    ("dentist", six("toothache")),
    ("skin doctor", six("a rash")),
    ("eye doctor", six("red eyes")),
    ("bone doctor", six("a fracture")),
    ("heart doctor", six("high blood pressure")),
    ("lung doctor", six("asthma")),
    ("nerve doctor", six("long headaches")),
    ("ear, nose and throat doctor", six("ear pain")),
    ("digestive doctor", six("stomach pain")),
    ("36 to 37 degrees", normal("temperature")),
    ("60 to 100 per minute", normal("pulse")),
    ("12 to 20 per minute", normal("breathing rate")),
    ("below 120/80", normal("blood pressure")),
    ("95% or more", normal("blood oxygen")),
    ("at least 7 hours", ["How long should adults sleep?", "How much sleep do adults need?", "How many hours should I sleep?", "What is enough sleep for an adult?", "How much sleep does an adult need?", "How many hours of sleep are enough?"]),
    ("at least 20 seconds", ["How long should I wash my hands?", "How long to wash hands?", "How many seconds to wash hands?", "What is the right time to wash hands?", "For how long should hands be washed?", "How many seconds should I wash my hands?"]),
    ("cool water for 20 minutes", aid("a burn", "I have a burn")),
    ("lean forward and pinch the nose", aid("a nosebleed", "I have a nosebleed")),
    ("wash with soap and get a vaccine", aid("a dog bite", "A dog bit me")),
    ("back blows and abdominal thrusts", aid("choking", "An adult is choking")),
    ("move to the shade and cool down", aid("heatstroke", "Someone has heatstroke")),
    ("rest, ice and raise it", aid("a sprain", "I have a sprain")),
    ("press with a clean cloth", aid("bleeding", "The wound is bleeding")),
    ("call for help and start compressions", aid("a stopped heart", "The heart has stopped")),
    ("switch off the power first", aid("an electric shock", "Someone has an electric shock")),
    ("fresh air and leave the room", aid("gas poisoning", "Someone has gas poisoning")),
    ("insulin", ["What lowers blood sugar?", "Which hormone lowers blood sugar?", "Name the hormone that lowers blood sugar.", "What does the body use to lower sugar?", "Which hormone brings blood sugar down?", "Tell me what lowers blood sugar."]),
    ("vitamin C", ["What is missing in scurvy?", "Which vitamin prevents scurvy?", "Lack of what causes scurvy?", "What causes scurvy?", "Scurvy comes from a lack of what?", "Tell me what prevents scurvy."]),
    ("calcium", ["What makes bones strong?", "Which mineral do bones need?", "What do bones need most?", "Which mineral keeps bones strong?", "What mineral makes bones strong?", "Tell me what bones need."]),
    ("call an ambulance", ["Signs of a stroke. What should I do?", "What to do for a stroke?", "First step for a stroke?", "How do I help with a stroke?", "What is the first step for a stroke?", "Someone has a stroke. What now?"]),
]
