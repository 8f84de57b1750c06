"""Makes data/demand.csv: two years of days of a made-up bike hire, the same each time.

python make_data.py
"""

import csv
import math
import pathlib
import random

DAYS = 730


def main():
    chance = random.Random(11)
    target = pathlib.Path(__file__).parent / "data" / "demand.csv"
    with target.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["month", "weekday", "holiday", "temperature", "rain", "wind", "hires"])
        for day in range(DAYS):
            month, weekday = day // 30 % 12 + 1, day % 7
            holiday = int(chance.random() < 0.03)
            temperature = 11 - 10 * math.cos(2 * math.pi * (day - 20) / 365) + chance.gauss(0, 3)
            rain = max(0.0, chance.gauss(-2, 5))
            wind = abs(chance.gauss(14, 6))
            comfort = 1 / (1 + math.exp(-(temperature - 10) / 4)) * math.exp(-rain / 6)
            commute = 900 if weekday < 5 and not holiday else 400
            hires = commute * (0.4 + comfort) + 1500 * comfort - 12 * wind + chance.gauss(0, 60)
            row = [month, weekday, holiday, f"{temperature:.1f}", f"{rain:.1f}", f"{wind:.1f}", max(0, round(hires))]
            writer.writerow(row)


if __name__ == "__main__":
    main()
