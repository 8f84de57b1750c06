"""Makes data/rents.csv: 600 made-up flats and what they cost, the same each time.

python make_data.py
"""

import csv
import math
import pathlib
import random

FLATS = 600


def main():
    chance = random.Random(5)
    target = pathlib.Path(__file__).parent / "data" / "rents.csv"
    with target.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["area", "rooms", "floor", "year", "distance", "rent"])
        for _ in range(FLATS):
            area = max(18.0, chance.gauss(68, 24))
            rooms = max(1, round(area / 26 + chance.gauss(0, 0.6)))
            floor, year = chance.randrange(8), chance.randrange(1900, 2024)
            distance = abs(chance.gauss(0, 6))
            age = math.cos((year - 1900) / 30)  # very old and very new ones are dear
            rent = 11.5 * area + 60 * rooms + 9 * floor + 140 * age + 420 * math.exp(-distance / 3) + chance.gauss(0, 45)
            writer.writerow([f"{area:.1f}", rooms, floor, year, f"{distance:.2f}", max(150, round(rent))])


if __name__ == "__main__":
    main()
