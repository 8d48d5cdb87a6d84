"""Plain names for what the data set calls ``FLUID MILK WHITE ONLY``."""

import re

PLAIN = {
    "BAKING NUTS": "Baking nuts",
    "CONES": "Ice cream cones",
    "ICE CREAM TOPPINGS": "Ice cream topping",
    "MARASCHINO CHERRIES": "Cocktail cherries",
    "MEAT: TURKEY BULK": "Sliced turkey",
    "OFFICE PAPER": "Writing paper",
    "PROTIEN SALADS - BULK": "Deli salad",
    "REFRIG DIPS": "Chilled dip",
    "SPECIALTY CRACKERS": "Crackers",
    "TOMATOES CHERRY": "Cherry tomatoes",
    "ANGUS": "Angus beef",
    "ANTI-ACIDS": "Antacid",
    "AUSTRALIAN/NZ WINES": "Wine, Australian",
    "BANDANA/SCARVES": "Winter scarf",
    "BAR SOAP": "Soap",
    "BREAD:LOAF/SNACK": "Sweet loaf",
    "BREADED - CHICKEN": "Breaded chicken",
    "CAKES: NOVELTIES": "Party cake",
    "CAULIFLOWER WHOLE": "Cauliflower",
    "COVERGIRL": "Make-up",
    "DIET/LIGHT BREAD": "Light bread",
    "FLOOR - DILUTABLES": "Floor cleaner",
    "ICE - CRUSHED/CUBED": "Ice cubes",
    "LIQUID BLEACH": "Bleach",
    "OVEN CLEANERS": "Oven cleaner",
    "PIES: PUMPKIN/CUSTARD": "Pumpkin pie",
    "POWDER LAUNDRY DETERGENT": "Washing powder",
    "SHAMPOO": "Shampoo",
    "TREATS": "Crispy treats",
    "VALUE": "Pasta sauce",
    "BAGGED CHEESE SNACKS": "Cheese puffs",
    "BEERALEMALT LIQUORS": "Beer",
    "DIPS (NON-REFRIGERATED)": "Dip",
    "ICE CREAM SANDWICHES": "Ice cream sandwiches",
    "NON-CRBNTD DRNKING/MNERAL WATE": "Mineral water",
    "PEPPERS RED BELL": "Red peppers",
    "PREP FD: SIDE DISHES (HOT)": "Hot side dish",
    "REGULAR GARDEN": "Garden salad",
    "SALAD BAR FRESH FRUIT": "Fresh fruit, salad bar",
    "SELECT BEEF": "Beef, select",
    "SWEET GOODS - FULL SIZE": "Pastries",
    "WHOLE CHICKEN (ROASTERS/FRYERS)": "Whole chicken",
    "WHOLE CHICKEN": "Whole chicken",
    "ADULT CEREAL": "Muesli",
    "ALL FAMILY CEREAL": "Breakfast cereal",
    "APPLE SAUCE": "Apple sauce",
    "APPLES GALA (BULK&BAG)": "Gala apples",
    "APPLES RED DELICIOUS (BULK&BAG": "Red Delicious apples",
    "BABY DIAPERS": "Nappies",
    "BABY FOOD - BEGINNER": "Baby food, first spoon",
    "BABY FOOD JUNIOR ALL BRANDS": "Baby food, junior",
    "BAGELS": "Bagels",
    "BANANAS": "Bananas",
    "BBQ SAUCE": "Barbecue sauce",
    "BOLOGNA": "Bologna",
    "BREAD:ITALIAN/FRENCH": "Crusty bread",
    "BROCCOLI WHOLE&CROWNS": "Broccoli",
    "BROTH": "Broth",
    "BUTTER": "Butter",
    "CANDY BARS (MULTI PACK)": "Chocolate bars, pack",
    "CANDY BARS (SINGLES)(INCLUDING": "Chocolate bar",
    "CANDY BAGS-CHOCOCLATE": "Chocolates",
    "CANISTER POTATO/TORT CHIPS": "Stacked crisps",
    "CARROTS MINI PEELED": "Baby carrots",
    "CATSUP": "Ketchup",
    "CELERY": "Celery",
    "CEREAL BARS": "Cereal bars",
    "CHEESE CRACKERS (CHEEZ-ITS/GOL": "Cheese crackers",
    "CHICKEN BREAST BONELESS": "Chicken breast",
    "CHICKEN BREAST BONE IN": "Chicken breast, bone in",
    "CHOCOLATE MILK": "Chocolate milk",
    "CHOICE BEEF": "Beef, choice",
    "CONDENSED SOUP": "Condensed soup",
    "CORN": "Sweetcorn",
    "CORN CHIPS": "Corn chips",
    "COTTAGE CHEESE": "Cottage cheese",
    "CREAM CHEESE": "Cream cheese",
    "CUCUMBERS": "Cucumber",
    "DAIRY CASE 100% PURE JUICE - O": "Orange juice",
    "DAIRY CASE JUICE DRNK UNDER 10": "Juice drink",
    "EGGS - LARGE": "Eggs, large",
    "EGGS - MEDIUM": "Eggs, medium",
    "EGGS - X-LARGE": "Eggs, extra large",
    "FLUID MILK WHITE ONLY": "Milk",
    "FRUIT SNACKS": "Fruit snacks",
    "FRZN BAGGED VEGETABLES - PLAIN": "Frozen vegetables",
    "FRZN BREADED PREPARED CHICK": "Frozen breaded chicken",
    "FRZN FRENCH FRIES": "Frozen fries",
    "FRZN GARLIC BREAD/TOAST/STICKS": "Frozen garlic bread",
    "FRZN MULTI SERVE ENTREES ALL": "Frozen family dinner",
    "FRZN SS PREMIUM ENTREES/DNRS/N": "Frozen dinner",
    "FRZN SS PREMIUM ENTREES/DNRS/T": "Frozen dinner",
    "FRZN WHIPPED TOPPING": "Whipped topping",
    "GRANOLA BARS": "Granola bars",
    "GRAPES RED": "Red grapes",
    "GRAPES WHITE": "White grapes",
    "GROUND COFFEE": "Ground coffee",
    "HAM": "Ham",
    "HAMBURGER BUNS": "Burger buns",
    "HEAD LETTUCE": "Lettuce",
    "HOT DOG BUNS": "Hot dog buns",
    "INSTANT OATMEAL": "Porridge oats",
    "ISOTONIC DRINKS SINGLE SERVE": "Sports drink",
    "IWS SINGLE CHEESE": "Cheese slices",
    "KIDS CEREAL": "Children's cereal",
    "LAYER CAKE MIX": "Cake mix",
    "LEAN": "Lean minced beef",
    "LIQUID DISH DETERGENT": "Washing-up liquid",
    "LIQUID LAUNDRY DETERGENTS": "Laundry liquid",
    "MACARONI & CHEESE DNRS": "Macaroni cheese",
    "MACARONI DRY": "Macaroni",
    "MAINSTREAM WHEAT/MULTIGRAIN BR": "Wholegrain bread",
    "MAINSTREAM WHITE BREAD": "White bread",
    "MARGARINE: TUBS AND BOWLS": "Margarine",
    "MEXICAN SAUCESSALSAPICANTEE": "Salsa",
    "NATURAL CHEESE EXACT WT CHUNKS": "Block cheese",
    "NATURAL CHEESE EXACT WT SLICES": "Sliced cheese",
    "NOODLES DRY": "Noodles",
    "ONIONS OTHER": "Spring onions",
    "ONIONS SWEET (BULK&BAG)": "Sweet onions",
    "ONIONS WHITE (BULK&BAG)": "White onions",
    "ONIONS YELLOW (BULK&BAG)": "Yellow onions",
    "ORANGES NAVELS ALL": "Oranges",
    "PAPER TOWELS & HOLDERS": "Kitchen roll",
    "PASTA: CANNED": "Canned pasta",
    "PEANUT BUTTER": "Peanut butter",
    "PEPPERS GREEN BELL": "Green peppers",
    "PICKLES": "Pickles",
    "PINEAPPLE": "Pineapple",
    "PIZZA/ECONOMY": "Frozen pizza",
    "PIZZA/PREMIUM": "Stone-baked pizza",
    "PIZZA/TRADITIONAL": "Pizza",
    "POPCORN - MICROWAVE": "Popcorn",
    "POTATO CHIPS": "Potato crisps",
    "POTATOES RUSSET (BULK&BAG)": "Russet potatoes",
    "POTATOES SWEET&YAMS": "Sweet potatoes",
    "POURABLE SALAD DRESSINGS": "Salad dressing",
    "PREMIUM": "Ice cream",
    "PREMIUM BREAD": "Farmhouse bread",
    "PRETZELS": "Pretzels",
    "PRIMAL": "Beef joint",
    "RAMEN NOODLES/RAMEN CUPS": "Ramen noodles",
    "REFRIGERATED BISCUITS REGULAR": "Biscuit dough",
    "REFRIGERATED COFFEE CREAMERS": "Coffee creamer",
    "RTS SOUP: CHUNKY/HOMESTYLE ET": "Chunky soup",
    "SANDWICH COOKIES": "Sandwich cookies",
    "SEMI-SOLID SALAD DRESSING MAY": "Mayonnaise",
    "SFT DRNK 2 LITER BTL CARB INCL": "Soft drink, 2 litres",
    "SFT DRNK MLT-PK BTL CARB (EXCP": "Soft drinks, bottles",
    "SFT DRNK SNGL SRV BTL CARB (EX": "Soft drink",
    "SHREDDED CHEESE": "Grated cheese",
    "SNACK CAKE - MULTI PACK": "Snack cakes",
    "SNACK CRACKERS": "Crackers",
    "SOFT DRINKS 12/18&15PK CAN CAR": "Soft drinks, 12 cans",
    "SOUP CRACKERS (SALTINE/OYSTER)": "Soup crackers",
    "SOUR CREAMS": "Sour cream",
    "SPAGHETTI DRY": "Spaghetti",
    "SPICES & SEASONINGS": "Spices",
    "SPRING WATER": "Spring water",
    "STRAWBERRIES": "Strawberries",
    "STRING CHEESE": "String cheese",
    "SUGAR": "Sugar",
    "SW GDS:DONUTS": "Doughnuts",
    "TOASTER PASTRIES": "Toaster pastries",
    "TOILET TISSUE": "Toilet paper",
    "TOMATO SAUCE": "Tomato sauce",
    "TOMATOES GRAPE": "Cherry tomatoes",
    "TOMATOES HOTHOUSE ON THE VINE": "Vine tomatoes",
    "TOMATOES: STEWED/DICED/CRMD": "Chopped tomatoes",
    "TOMATOES VINE RIPE BULK": "Tomatoes",
    "TOOTHPASTE": "Toothpaste",
    "TORTILLA/NACHO CHIPS": "Tortilla chips",
    "TRAY PACK/CHOC CHIP COOKIES": "Chocolate chip cookies",
    "TUNA": "Tuna",
    "VARIETY LETTUCE": "Salad leaves",
    "WAFFLES/PANCAKES/FRENCH TOAST": "Waffles",
    "YOGURT MULTI-PACKS": "Yogurts, pack",
    "YOGURT NOT MULTI-PACKS": "Yogurt",
}

SHORT_FORMS = {
    "BTL": "bottle", "CARB": "", "CHIX": "chicken", "CRBNTD": "carbonated", "DNRS": "dinners", "DRNK": "drink",
    "DRNKS": "drinks", "DRY": "dry", "FD": "food", "FLVRD": "flavoured", "FRZ": "frozen", "FRZN": "frozen",
    "HBC": "care", "MISC": "other", "MLT": "multi", "PNT": "peanut", "BTR": "butter", "PREM": "premium", "PREP": "prepared",
    "REFRGRATD": "chilled", "REFRIG": "chilled", "SFT": "soft", "SGL": "single", "SNGL": "single", "SPLY": "supplies",
    "SRV": "serve", "SV": "serve", "SS": "", "SW": "sweet", "GDS": "goods", "TORT": "tortilla", "VEG": "vegetables",
    "BN": "beans", "PKG": "packed", "PK": "pack", "WHL": "whole", "WT": "weight",
}  # fmt: skip


def plain_name(kind: str | None) -> str:
    """What to call a product of this type in a shop.

    >>> plain_name("FLUID MILK WHITE ONLY"), plain_name("FRZN BREAKFAST FOODS")
    ('Milk', 'Frozen breakfast foods')
    """
    if not kind:
        return "Groceries"
    known = PLAIN.get(kind)
    if known is not None:
        return known
    text = re.sub(r"\(.*$", "", kind).replace("&", " & ")
    words = [SHORT_FORMS.get(word, word.lower()) for word in re.findall(r"[^\s/:,-]+", text)]
    name = " ".join(word for word in words if word)
    return name[:1].upper() + name[1:] or "Groceries"


def plain_size(size: str | None) -> str:
    """``20 OZ`` as ``20 oz``; nothing for case sizes, which say little about a basket.

    >>> plain_size("20 OZ"), plain_size("(600) 4 LB"), plain_size("36 CT")
    ('20 oz', '', '')
    """
    match = re.fullmatch(r"\s*([0-9.]+)\s+(OZ|LB|GA|L|DZ|SQ FT)\s*", size or "")
    if match is None or (match[2] == "LB" and float(match[1]) > 10):
        return ""
    unit = {"GA": "gal", "L": "l", "DZ": "dozen"}.get(match[2], match[2].lower())
    return f"{match[1]} {unit}"


JARGON = frozenset(
    [
        "groceries",
        "other",
        "others",
        "all",
        "trans",
        "cntrl",
        "liqs",
        "vend",
        "mach",
        "frd",
        "bev",
        "pac",
        "rtd",
        "econ",
        "misc",
        "sales",
        "supplies",
        "general",
        "cigarettes",
        "vodka",
        "cocktails",
        "fem",
        "nutritional",
        "implements",
        "exact",
    ]
)


def reads_well(name: str) -> bool:
    """Whether a shop would print this on a slip: a plain name, or a short one without trade words.

    >>> reads_well("Roma tomatoes"), reads_well("Diet cntrl liqs nutritional"), reads_well("Groceries")
    (True, False, False)
    """
    words = name.lower().split()
    return name in WELL_NAMED or (
        len(words) <= 3 and not JARGON.intersection(words) and name.replace(" ", "").isalpha()
    )


WELL_NAMED = frozenset(PLAIN.values())
