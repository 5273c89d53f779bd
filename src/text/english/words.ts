/** The words that English has for signs, units, currencies and months. */

/** A thing that is counted: one of it, and several. */
export type Noun = readonly [one: string, several: string];

const regular = (noun: string): Noun => [noun, `${noun}s`];

/** By sign or code: the unit, and its hundredth where there is one. */
export const currencies: Readonly<Record<string, readonly [unit: Noun, cent?: Noun]>> = {
  "$": [regular("dollar"), regular("cent")],
  "US$": [regular("US dollar"), regular("cent")],
  "A$": [regular("Australian dollar"), regular("cent")],
  "C$": [regular("Canadian dollar"), regular("cent")],
  "€": [regular("euro"), regular("cent")],
  "£": [regular("pound"), ["penny", "pence"]],
  "¥": [["yen", "yen"]],
  "₹": [regular("rupee"), ["paisa", "paise"]],
  "USD": [regular("US dollar"), regular("cent")],
  "EUR": [regular("euro"), regular("cent")],
  "GBP": [regular("pound"), ["penny", "pence"]],
  "CHF": [regular("Swiss franc"), regular("centime")],
  "JPY": [["yen", "yen"]],
  "INR": [regular("rupee"), ["paisa", "paise"]],
  "AUD": [regular("Australian dollar"), regular("cent")],
  "CAD": [regular("Canadian dollar"), regular("cent")],
};

/** By what stands after a number. Units whose sign is also a word ("in", "a") are not here. */
export const units: Readonly<Record<string, Noun>> = {
  "%": ["percent", "percent"],
  "°": regular("degree"),
  "°C": ["degree Celsius", "degrees Celsius"],
  "°F": ["degree Fahrenheit", "degrees Fahrenheit"],
  "nm": regular("nanometer"),
  "mm": regular("millimeter"),
  "cm": regular("centimeter"),
  "m": regular("meter"),
  "km": regular("kilometer"),
  "ft": ["foot", "feet"],
  "yd": regular("yard"),
  "mi": regular("mile"),
  "m²": regular("square meter"),
  "km²": regular("square kilometer"),
  "m³": regular("cubic meter"),
  "sq ft": ["square foot", "square feet"],
  "mg": regular("milligram"),
  "g": regular("gram"),
  "kg": regular("kilogram"),
  "lb": regular("pound"),
  "lbs": regular("pound"),
  "oz": regular("ounce"),
  "ml": regular("milliliter"),
  "mL": regular("milliliter"),
  "l": regular("liter"),
  "L": regular("liter"),
  "km/h": ["kilometer per hour", "kilometers per hour"],
  "kph": ["kilometer per hour", "kilometers per hour"],
  "m/s": ["meter per second", "meters per second"],
  "mph": ["mile per hour", "miles per hour"],
  "ms": regular("millisecond"),
  "sec": regular("second"),
  "secs": regular("second"),
  "min": regular("minute"),
  "mins": regular("minute"),
  "h": regular("hour"),
  "hr": regular("hour"),
  "hrs": regular("hour"),
  "KB": regular("kilobyte"),
  "kB": regular("kilobyte"),
  "MB": regular("megabyte"),
  "GB": regular("gigabyte"),
  "TB": regular("terabyte"),
  "Mbps": ["megabit per second", "megabits per second"],
  "Gbps": ["gigabit per second", "gigabits per second"],
  "Hz": ["hertz", "hertz"],
  "kHz": ["kilohertz", "kilohertz"],
  "MHz": ["megahertz", "megahertz"],
  "GHz": ["gigahertz", "gigahertz"],
  "V": regular("volt"),
  "W": regular("watt"),
  "kW": regular("kilowatt"),
  "kWh": regular("kilowatt hour"),
  "mAh": regular("milliamp hour"),
  "kcal": regular("kilocalorie"),
  "px": regular("pixel"),
};

/** How large a number is, behind it or behind an amount. */
export const magnitudes: Readonly<Record<string, string>> = {
  k: "thousand",
  K: "thousand",
  m: "million",
  M: "million",
  mn: "million",
  bn: "billion",
  b: "billion",
  B: "billion",
  T: "trillion",
  tn: "trillion",
};

export const months: readonly string[] = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/** Fractions with a sign of their own. */
export const fractions: Readonly<Record<string, string>> = {
  "½": "one half",
  "⅓": "one third",
  "⅔": "two thirds",
  "¼": "one quarter",
  "¾": "three quarters",
  "⅕": "one fifth",
  "⅛": "one eighth",
};

/** `words` as alternatives of a regular expression, the longest first. */
export function anyOf(words: readonly string[]): string {
  return words.toSorted((a, b) => b.length - a.length)
    .map((word) => word.replace(/[$.*+?^(){}|[\]\\/]/g, String.raw`\$&`)).join("|");
}
