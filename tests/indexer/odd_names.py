"""File names that are lawful and break careless code: wildcards, quotes, line breaks, other scripts, no UTF-8."""

ODD_NAMES = [
    "100%.jpg",
    "a_b.jpg",
    'it\'s "so".jpg',
    "two\nlines.jpg",
    "写真 ü.JPEG",
    "e\u0301.png",
    "\udce9t\udce9.jpg",
]
