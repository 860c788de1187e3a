#include "tasks/words.h"

#include <string_view>

namespace r1::tasks {
namespace {

constexpr std::string_view kWords[] = {
    "apple",         "banana",        "strawberry",  "cherry",        "orange",      "pineapple",
    "blueberry",     "raspberry",     "grape",       "lemon",         "melon",       "peach",
    "pear",          "carrot",        "potato",      "tomato",        "onion",       "pepper",
    "cucumber",      "lettuce",       "bread",       "butter",        "cheese",      "coffee",
    "sugar",         "cookie",        "chocolate",   "spaghetti",     "cinnamon",    "vanilla",
    "pudding",       "noodle",        "cat",         "dog",           "horse",       "rabbit",
    "chicken",       "elephant",      "giraffe",     "kangaroo",      "crocodile",   "butterfly",
    "hippopotamus",  "rhinoceros",    "gorilla",     "zebra",         "tiger",       "lion",
    "monkey",        "parrot",        "penguin",     "squirrel",      "turtle",      "spider",
    "mosquito",      "dolphin",       "octopus",     "lobster",       "salmon",      "eagle",
    "swallow",       "sparrow",       "flamingo",    "hamster",       "house",       "window",
    "door",          "kitchen",       "bathroom",    "bedroom",       "garden",      "street",
    "village",       "city",          "bridge",      "station",       "airport",     "hospital",
    "library",       "museum",        "school",      "university",    "teacher",     "student",
    "doctor",        "engineer",      "professor",   "scientist",     "musician",    "president",
    "secretary",     "committee",     "assassin",    "business",      "success",     "address",
    "possess",       "accommodation", "mississippi", "massachusetts", "tennessee",   "pennsylvania",
    "california",    "london",        "paris",       "berlin",        "beijing",     "shanghai",
    "america",       "australia",     "canada",      "germany",       "january",     "february",
    "september",     "wednesday",     "thursday",    "saturday",      "tomorrow",    "yesterday",
    "morning",       "evening",       "night",       "summer",        "winter",      "spring",
    "autumn",        "weather",       "thunder",     "lightning",     "rainbow",     "mountain",
    "river",         "ocean",         "forest",      "desert",        "island",      "planet",
    "universe",      "galaxy",        "computer",    "keyboard",      "internet",    "telephone",
    "television",    "camera",        "battery",     "bicycle",       "motorcycle",  "airplane",
    "helicopter",    "submarine",     "number",      "letter",        "sentence",    "paragraph",
    "alphabet",      "dictionary",    "language",    "grammar",       "question",    "answer",
    "problem",       "solution",      "mathematics", "arithmetic",    "geometry",    "algebra",
    "science",       "chemistry",     "physics",     "biology",       "history",     "geography",
    "philosophy",    "psychology",    "music",       "guitar",        "piano",       "violin",
    "trumpet",       "orchestra",     "football",    "basketball",    "tennis",      "swimming",
    "running",       "jumping",       "walking",     "reading",       "writing",     "speaking",
    "happy",         "sad",           "angry",       "beautiful",     "wonderful",   "excellent",
    "terrible",      "dangerous",     "important",   "different",     "difficult",   "impossible",
    "necessary",     "embarrass",     "occurrence",  "parallel",      "millennium",  "bookkeeper",
    "balloon",       "coffeehouse",   "raccoon",     "bubble",        "puzzle",      "bottle",
    "little",        "middle",        "green",       "yellow",        "purple",      "silver",
    "golden",        "mirror",        "error",       "terror",        "horror",      "carrier",
    "arrow",         "borrow",        "sorrow",      "narrow",        "eleven",      "twelve",
    "seventeen",     "hundred",       "thousand",    "million",       "freedom",     "kingdom",
    "engineering",   "intelligence",  "artificial",  "network",       "transformer", "parameter",
    "reinforcement", "learning",      "reasoning",   "thinking",      "tree",        "flower",
    "grass",         "stone",         "water",       "fire",          "paper",       "pencil",
    "scissors",      "hammer",        "ladder",      "basket",        "blanket",     "pillow",
    "shirt",         "trousers",      "sweater",     "jacket",        "shoe",        "sock",
    "umbrella",      "necklace",      "mother",      "father",        "sister",      "brother",
    "daughter",      "grandmother",   "neighbour",   "friend"};

}  // namespace

std::string draw_known_word(Draw& draw, size_t least, size_t most) {
  for (;;) {
    const std::string_view word = draw.pick(kWords);
    if (word.size() >= least && word.size() <= most) return std::string(word);
  }
}

std::string draw_invented_word(Draw& draw, int64_t least_syllables, int64_t most_syllables) {
  static constexpr std::string_view consonants = "bcdfghjklmnprstvwz", vowels = "aeiou";
  std::string word;
  const int64_t syllables = draw.between(least_syllables, most_syllables);
  for (int64_t i = 0; i < syllables; ++i) {
    word += draw.pick(consonants);
    word += draw.pick(vowels);
    if (draw.chance(0.4)) word += draw.pick(consonants);
  }
  return word;
}

}  // namespace r1::tasks
