#include "grade/instructions/language.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>

#include "grade/instructions/words.h"

namespace r1::grade {
namespace {

struct Script {
  std::string_view name;  // the language, where the script has one; else the script
  char32_t first, last;
};

constexpr auto kScripts = std::to_array<Script>({
    {"latin", 'A', 'Z'},       {"latin", 'a', 'z'},        {"latin", 0xC0, 0x24F},
    {"latin", 0x1E00, 0x1EFF}, {"el", 0x370, 0x3FF},       {"cyrillic", 0x400, 0x52F},
    {"hy", 0x530, 0x58F},      {"he", 0x590, 0x5FF},       {"arabic", 0x600, 0x6FF},
    {"arabic", 0x750, 0x77F},  {"arabic", 0xFB50, 0xFDFF}, {"devanagari", 0x900, 0x97F},
    {"bn", 0x980, 0x9FF},      {"pa", 0xA00, 0xA7F},       {"gu", 0xA80, 0xAFF},
    {"or", 0xB00, 0xB7F},      {"ta", 0xB80, 0xBFF},       {"te", 0xC00, 0xC7F},
    {"kn", 0xC80, 0xCFF},      {"ml", 0xD00, 0xD7F},       {"si", 0xD80, 0xDFF},
    {"th", 0xE00, 0xE7F},      {"lo", 0xE80, 0xEFF},       {"my", 0x1000, 0x109F},
    {"ka", 0x10A0, 0x10FF},    {"am", 0x1200, 0x137F},     {"km", 0x1780, 0x17FF},
    {"ja", 0x3040, 0x30FF},    {"ko", 0xAC00, 0xD7AF},     {"ko", 0x1100, 0x11FF},
    {"zh", 0x4E00, 0x9FFF},    {"zh", 0x3400, 0x4DBF},
});

struct Language {
  std::string_view code, script;
  std::string_view words;           // frequent ones, separated by spaces
  std::u32string_view distinctive;  // letters that its neighbours lack
};

constexpr auto kLanguages = std::to_array<Language>({
    {"en", "latin",
     "a the of and to in is that it for was on are as with his they at be this have from or had by not "
     "but what all were we when your can said there use an each which she do how their if will up other "
     "about out many then them these so some her would make like him into time has look two more write go "
     "see number no way could people my than first been call who its now find long down day did get come "
     "made may part i you he also only over such most our even me after where those through because "
     "should must very just still while being here why again under until does done too any both same own "
     "between before against during without within upon might shall let us yes please say says new good "
     "great well much one three every following help need want take takes give using used work world life "
     "year years best sure based however therefore since another around know think always never often "
     "something getting going",
     U""},
    {"de", "latin",
     "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus "
     "er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum haben nur oder aber "
     "vor zur bis mehr durch man sein wurde ich wir ihr",
     U"äöüß"},
    {"fr", "latin",
     "de la le et les des en un une du que est pour qui dans a par plus pas au sur ne se ce il sont avec on "
     "son aux cette ont ou mais nous vous je leur être fait comme tout elle si sa ses même aussi très",
     U"éèêàçùœëïâîô"},
    {"es", "latin",
     "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si "
     "sin sobre este ya entre cuando todo esta ser son dos también fue había era muy años hasta desde está "
     "mi porque",
     U"ñáéíóú¿¡"},
    {"pt", "latin",
     "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à "
     "seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem "
     "mesmo aos",
     U"ãõçáéêâ"},
    {"it", "latin",
     "di e il la che in a per un è non sono una con le si da i del come della lo più ha gli nel al dei anche "
     "ma alla su delle o se questo questa molto essere stato nella ci mi cui tutto così perché quando",
     U"èàùòì"},
    {"nl", "latin",
     "de en het van ik te dat die in een hij niet zijn is was op aan met als voor had er maar om hem dan zou "
     "of wat mijn men dit zo door over ze zich bij ook tot je mij uit der daar haar naar heb hoe heeft",
     U"ĳ"},
    {"sv", "latin",
     "och i att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan "
     "när eller ut hade nu vid under efter över där mycket man",
     U"åäö"},
    {"da", "latin",
     "og i at det er en til på med der af den for ikke som de han har var et jeg sig fra vi så kan når eller "
     "om efter men også blev",
     U"æøå"},
    {"no", "latin",
     "og i det er en til på med som av den for ikke de han har var et jeg seg fra vi så kan når eller om "
     "etter men også ble hva hvor",
     U"æøå"},
    {"fi", "latin",
     "ja on ei se että hän oli ovat mutta niin kuin myös joka sen olla voi kun ole jos tai sekä mitä vain ne "
     "hänen minä sinä me te he tämä",
     U"äö"},
    {"pl", "latin",
     "i w nie na się z do to że jest jak o po co tak za od ale przez dla są by czy był jego już tylko być "
     "może oraz które który tym",
     U"ąćęłńóśźż"},
    {"cs", "latin",
     "a je se v na že to s z do i o jako za by ale jsem ve k pro jsou tak od po podle si které který bylo "
     "jeho nebo už",
     U"ěščřžýáíéůú"},
    {"ro", "latin",
     "de și în a la cu pe nu o că din un care este mai pentru se sunt să ce au al fost prin sau dar după",
     U"șțăâî"},
    {"hu", "latin",
     "a az és hogy nem is egy meg ez de volt csak már ha van el mint még azt vagy lehet ki fel",
     U"őűáéíóöúü"},
    {"tr", "latin",
     "ve bir bu da de için ile çok olarak ne gibi daha olan var kadar en ama o ben sonra değil mi her",
     U"ğışçöü"},
    {"vi", "latin",
     "và của là có không trong được cho các một với những người này để đã khi từ cũng như về ra vào nhiều "
     "đến bạn tôi",
     U"đơưăạảấầẩẫậắằẳẵặẹẻẽếềểễệ"},
    {"id", "latin",
     "yang dan di dengan untuk tidak dari ini itu dalam akan pada juga saya adalah ke karena ada mereka bisa "
     "atau oleh sebagai anda",
     U""},
    {"sw", "latin",
     "na ya wa kwa ni katika la za kuwa hii cha kama au si yake hiyo pia watu moja vya yao hivyo lakini sana "
     "ili kutoka wakati mimi wewe",
     U""},
    {"tl", "latin", "ang ng sa na mga at ay ito ko ako siya hindi para kung may kanyang nang ka mo", U""},
    {"ru", "cyrillic",
     "и в не на что я с он а как это то по но они к у ты из мы за вы так же от бы о его все было для",
     U"ыэъё"},
    {"uk", "cyrillic", "і в не на що я з він а як це то та до у ти ми за ви так від про його для але є",
     U"іїєґ"},
    {"bg", "cyrillic",
     "и на да се в за от не с е са по че като към му ще това но го ни или след който бъде която", U""},
    {"mk", "cyrillic", "и на во да се за од не со е ќе што ги го како тоа но или", U"ѓќѕљњџј"},
    {"sr", "cyrillic", "и у да је се на за не су са као од то али би који", U"ђћљњџј"},
    {"ar", "arabic", "في من على أن إلى التي الذي هذا هذه عن مع كان ما لا هو هي أو كما ذلك بين بعد قد كل",
     U"ةإأى"},
    {"fa", "arabic", "و در به از که این را با است برای آن یک خود تا بر می هم نیز شده اند ما هر", U"پچژگیک"},
    {"ur", "arabic", "کے میں کی ہے اور سے کا کو اس نے پر یہ ہیں کہ ایک بھی تھا کر ہو جو", U"ٹڈڑےںہ"},
    {"hi", "devanagari", "के में की है और से का को पर यह इस एक हैं नहीं भी कि ने हो था जो कर लिए अपने वह या", U""},
    {"mr", "devanagari", "आणि आहे या च्या एक हे ते आहेत व नाही की तर होते मध्ये करण्यासाठी असे हा ही साठी म्हणून आपल्या",
     U"ळ"},
    {"ne", "devanagari", "र छ को मा का लागि यो पनि गर्न एक हो भने गरेको हुन्छ तपाईं छन् यस थियो गर्नुहोस् हुन", U""},
});

std::string_view script_of(char32_t c) {
  for (const Script& script : kScripts) {
    if (c >= script.first && c <= script.last) return script.name;
  }
  return "";
}

/// Words as runs of anything but white space and punctuation: vowel signs of Indian scripts stay inside. One letter behind an
/// apostrophe ("it's") is no word: it would count for languages that have a word of that letter.
std::map<std::string, int64_t> count_by_word(std::string_view text) {
  std::map<std::string, int64_t> counts;
  std::string word;
  const std::string folded = lower_case(text);
  bool after_apostrophe = false;
  const auto end_word = [&] {
    if (word.size() > 1 || (word.size() == 1 && !after_apostrophe)) ++counts[word];
    word.clear();
  };
  for (size_t at = 0; at < folded.size();) {
    const auto byte = static_cast<unsigned char>(folded[at]);
    const bool is_ascii = byte < 0x80;
    const bool is_letter = !is_ascii || (byte >= 'a' && byte <= 'z');
    size_t length = 1;
    while (!is_ascii && at + length < folded.size() &&
           (static_cast<unsigned char>(folded[at + length]) & 0xC0) == 0x80)
      ++length;
    if (is_letter) {
      word += folded.substr(at, length);
    } else {
      const bool inside_word = !word.empty();
      end_word();
      after_apostrophe = byte == '\'' && inside_word;
    }
    at += length;
  }
  end_word();
  return counts;
}

}  // namespace

std::string guess_language(std::string_view text) {
  std::map<std::string_view, int64_t> letters;
  const std::u32string points = code_points(text);
  for (const char32_t c : points) {
    if (const std::string_view script = script_of(c); !script.empty()) ++letters[script];
  }
  if (letters.empty()) return "";
  if (letters["ja"] * 10 >= letters["zh"] && letters["ja"] > 0)
    letters["ja"] += letters["zh"], letters["zh"] = 0;
  // Latin letters carry less each than those of syllabic and ideographic scripts.
  const auto weight = [](const auto& entry) {
    return entry.first == "zh" || entry.first == "ja" || entry.first == "ko" ? entry.second * 3
                                                                             : entry.second;
  };
  const auto best = std::max_element(letters.begin(), letters.end(),
                                     [&](const auto& a, const auto& b) { return weight(a) < weight(b); });
  const std::string_view script = best->first;
  const bool shared = std::any_of(kLanguages.begin(), kLanguages.end(),
                                  [&](const Language& l) { return l.script == script; });
  if (!shared) return std::string(script);

  const std::map<std::string, int64_t> counts = count_by_word(text);
  std::map<char32_t, int64_t> marked;  // letters beyond ASCII
  for (const char32_t c : points) {
    if (c >= 0x80) ++marked[c];
  }
  std::string_view winner;
  double highest = -1;
  for (const Language& language : kLanguages) {
    if (language.script != script) continue;
    double score = 0;
    for (size_t at = 0; at < language.words.size();) {
      const size_t end = std::min(language.words.find(' ', at), language.words.size());
      const auto found = counts.find(std::string(language.words.substr(at, end - at)));
      if (found != counts.end()) score += static_cast<double>(found->second);
      at = end + 1;
    }
    int64_t special = 0;
    for (const char32_t c : language.distinctive) {
      if (const auto found = marked.find(c); found != marked.end()) special += found->second;
    }
    score += 0.25 * static_cast<double>(special);
    if (score > highest) {
      highest = score;
      winner = language.code;
    }
  }
  return highest > 0 || script != "latin" ? std::string(winner) : std::string(kUndetermined);
}

bool is_frequent_english_word(std::string_view word) {
  const std::string_view words = kLanguages.front().words;
  const size_t at = (" " + std::string(words) + " ").find(" " + std::string(word) + " ");
  return at != std::string::npos;
}

}  // namespace r1::grade
