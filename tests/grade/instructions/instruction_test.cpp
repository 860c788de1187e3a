#include "grade/instructions/instruction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "grade/instructions/language.h"
#include "grade/instructions/words.h"

namespace r1::grade {
namespace {

using nlohmann::json;

struct Case {
  std::string id;
  json arguments;
  std::vector<std::string> followed, broken;
};

std::string repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Instruction, EachKindPassesAndFails) {
  const std::vector<Case> cases = {
      {"keywords:existence",
       {{"keywords", {"mom", "Mother"}}},
       {"My MOM is a mother.", "momentum motherboard"},
       {"My mom."}},
      {"keywords:frequency",
       {{"keyword", "war"}, {"relation", "at least"}, {"frequency", 2}},
       {"War, warm war"},
       {"war and peace"}},
      {"keywords:frequency",
       {{"keyword", "war"}, {"relation", "less than"}, {"frequency", 2}},
       {"war", "peace"},
       {"war war"}},
      {"keywords:forbidden_words",
       {{"forbidden_words", {"rock", "field"}}},
       {"rocks and fields"},
       {"A Rock!", "in the field."}},
      {"keywords:letter_frequency",
       {{"letter", "T"}, {"let_relation", "at least"}, {"let_frequency", 3}},
       {"To the top"},
       {"To be"}},
      {"keywords:letter_frequency",
       {{"letter", "!"}, {"let_relation", "less than"}, {"let_frequency", 2}},
       {"Oh!"},
       {"Oh! Ah!"}},
      {"language:response_language",
       {{"language", "de"}},
       {"Das ist ein Satz, der auf Deutsch geschrieben ist."},
       {"This is a sentence that is written in English."}},
      {"length_constraints:number_sentences",
       {{"relation", "less than"}, {"num_sentences", 3}},
       {"One. Two!", "Dr. Smith paid 3.5 dollars e.g. to Mr. Jones."},
       {"One. Two! Three?"}},
      {"length_constraints:number_sentences",
       {{"relation", "at least"}, {"num_sentences", 3}},
       {"One. Two. \"Three.\" Four"},
       {"One. Two..."}},
      {"length_constraints:number_paragraphs",
       {{"num_paragraphs", 2}},
       {"a\n***\nb", "***\na\n***\nb\n***"},
       {"a\n\nb", "a\n***\n\n***\nb"}},
      {"length_constraints:number_words",
       {{"relation", "at least"}, {"num_words", 4}},
       {"It's three-four", "a b c d"},
       {"a b, c."}},
      {"length_constraints:number_words",
       {{"relation", "less than"}, {"num_words", 3.0}},
       {"a b"},
       {"a b c"}},
      {"length_constraints:nth_paragraph_first_word",
       {{"num_paragraphs", 2}, {"nth_paragraph", 2}, {"first_word", "Weekend"}},
       {"One.\n\n\"weekend, at last", "One.\n\nWEEKEND plans"},
       {"One.\n\nThe weekend", "weekend", "a\n\nb\n\nweekend"}},
      {"detectable_content:number_placeholders",
       {{"num_placeholders", 2}},
       {"[name] and [address]", "[a] [b] [c]"},
       {"[name]", "[a\nb] [c]"}},
      {"detectable_content:postscript",
       {{"postscript_marker", "P.S."}},
       {"Bye.\nP.S. more", "p. s. more"},
       {"Bye. PS more", "P.S"}},
      {"detectable_content:postscript",
       {{"postscript_marker", "P.P.S"}},
       {"P.P.S more", "p. p. s."},
       {"P.S. more"}},
      {"detectable_format:number_bullet_lists",
       {{"num_bullets", 2}},
       {"* a\n* b", "  - a\ntext\n* b"},
       {"* a", "* a\n* b\n* c", "** a\n** b"}},
      {"detectable_format:constrained_response",
       json::object(),
       {"My answer is yes.", "Well. My answer is maybe. So."},
       {"yes", "My answer is Yes."}},
      {"detectable_format:number_highlighted_sections",
       {{"num_highlights", 2}},
       {"*a* and *b*", "**a** and **b**"},
       {"*a*", "* a\n* b", "****"}},
      {"detectable_format:multiple_sections",
       {{"section_spliter", "SECTION"}, {"num_sections", 2}},
       {"SECTION 1\na\nSECTION 2\nb"},
       {"SECTION 1", "Section 1 Section 2", "SECTION one SECTION two"}},
      {"detectable_format:json_format",
       json::object(),
       {"{\"a\": [1]}", "```json\n{}\n```", "```\n[]\n```"},
       {"{a: 1}", "Here: {}"}},
      {"detectable_format:title",
       json::object(),
       {"<<Title>>\ntext", "text <<a b>> text"},
       {"<Title>", "<<>>", "<<a\nb>>"}},
      {"combination:two_responses",
       json::object(),
       {"one\n******\ntwo", "******one******two******"},
       {"one", "one******one", "a******b******c"}},
      {"combination:repeat_prompt",
       {{"prompt_to_repeat", "Write a poem. "}},
       {"write a poem.\nRoses"},
       {"Roses. Write a poem."}},
      {"startend:end_checker",
       {{"end_phrase", "Any questions?"}},
       {"Done. any questions?", "Done. Any questions?\"\n"},
       {"Any questions? No."}},
      {"change_case:capital_word_frequency",
       {{"capital_relation", "at least"}, {"capital_frequency", 3}},
       {"I SAID NO", "A, B and C!"},
       {"I said No"}},
      {"change_case:capital_word_frequency",
       {{"capital_relation", "less than"}, {"capital_frequency", 2}},
       {"I said no"},
       {"NO! NO!"}},
      {"change_case:english_capital",
       json::object(),
       {"THIS IS WHAT I SAY TO YOU, AND 2 MORE."},
       {"THIS IS What I SAY", "DAS IST DER SATZ, DEN ICH NICHT MIT EINER REGEL SCHREIBE."}},
      {"change_case:english_lowercase",
       json::object(),
       {"this is what i say to you."},
       {"This is what i say", "das ist der satz, den ich nicht mit einer regel schreibe."}},
      {"punctuation:no_comma", json::object(), {"No commas here."}, {"Well, no."}},
      {"startend:quotation", json::object(), {"\"All of it.\"", " \"a\"\n"}, {"\"All\" of it", "\""}},
  };
  for (const Case& item : cases) {
    const Instruction instruction = read_instruction(item.id, item.arguments);
    for (const std::string& text : item.followed)
      EXPECT_TRUE(follows(instruction, text)) << item.id << ": " << text;
    for (const std::string& text : item.broken)
      EXPECT_FALSE(follows(instruction, text)) << item.id << ": " << text;
    EXPECT_FALSE(follows(instruction, "")) << item.id;
    EXPECT_FALSE(follows(instruction, " \n ")) << item.id;
  }
}

TEST(Instruction, LooseLeavesOutFirstAndLastLinesAndAsterisks) {
  const Instruction quoted = read_instruction("startend:quotation", json::object());
  EXPECT_FALSE(follows(quoted, "Here it is:\n\"text\""));
  EXPECT_TRUE(follows_loosely(quoted, "Here it is:\n\"text\""));
  EXPECT_TRUE(follows_loosely(quoted, "\"text\"\nI hope this helps"));
  EXPECT_TRUE(follows_loosely(quoted, "Here it is:\n\"text\"\nI hope this helps"));
  EXPECT_TRUE(follows_loosely(quoted, "Here:\n**\"text\"**"));
  EXPECT_FALSE(follows_loosely(quoted, "Here:\nand\n\"text\" is it\nbye"));
}

TEST(Instruction, DamagedDataIsNamed) {
  const auto message = [](const std::string& id, const json& arguments) -> std::string {
    try {
      read_instruction(id, arguments);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message("keywords:unknown", json::object()), testing::HasSubstr("'keywords:unknown'"));
  EXPECT_THAT(message("keywords:existence", json::object()), testing::HasSubstr("'keywords' is missing"));
  EXPECT_THAT(message("length_constraints:number_words", {{"relation", "about"}, {"num_words", 3}}),
              testing::HasSubstr("'about'"));
  EXPECT_THAT(message("length_constraints:number_words", {{"relation", "at least"}, {"num_words", 3.5}}),
              testing::HasSubstr("3.5"));
}

TEST(Instruction, LongTextsEnd) {
  for (const std::string& text :
       {repeat("*", 200'000), repeat("[", 200'000), repeat("<<", 100'000), repeat("p. ", 100'000),
        repeat("SECTION ", 50'000), repeat("a.b.", 50'000), repeat("******", 50'000)}) {
    for (const char* id : {"detectable_format:number_highlighted_sections", "detectable_format:title",
                           "combination:two_responses"}) {
      follows_loosely(read_instruction(id, {{"num_highlights", 1'000'000}}), text);
    }
    EXPECT_FALSE(
        follows(read_instruction("detectable_content:number_placeholders", {{"num_placeholders", 1}}), text));
    count_sentences(text);
  }
}

TEST(Language, IsGuessedFromASentence) {
  const std::vector<std::pair<std::string, std::string>> sentences = {
      {"en", "The weather was fine and we walked along the river until it was dark."},
      {"de", "Wir gingen am Fluss entlang, bis es dunkel wurde, und sprachen nicht viel."},
      {"fr", "Nous avons marché le long de la rivière jusqu'à ce que la nuit tombe."},
      {"es", "Caminamos a lo largo del río hasta que se hizo de noche y no hablamos mucho."},
      {"pt", "Caminhamos ao longo do rio até que ficou escuro e não falamos muito."},
      {"it", "Abbiamo camminato lungo il fiume finché non è diventato buio e non abbiamo parlato."},
      {"nl", "We liepen langs de rivier tot het donker werd en we spraken niet veel met elkaar."},
      {"sv", "Vi gick längs floden tills det blev mörkt och vi talade inte mycket med varandra."},
      {"fi",
       "Kävelimme joen vartta, kunnes tuli pimeä, mutta emme puhuneet paljon, koska olimme väsyneitä ja se "
       "oli hyvä."},
      {"vi", "Chúng tôi đi dọc bờ sông cho đến khi trời tối và không nói nhiều với nhau."},
      {"sw", "Tulitembea kando ya mto hadi giza likaingia na hatukuzungumza sana kwa sababu ya uchovu."},
      {"ru", "Мы шли вдоль реки, пока не стемнело, и это был хороший вечер для всех."},
      {"bg",
       "Вървяхме покрай реката, докато се стъмни, и това беше хубава вечер за всички, които бяха с нас."},
      {"uk", "Ми йшли вздовж річки, поки не стемніло, і це був гарний вечір для всіх."},
      {"ar", "مشينا على طول النهر حتى حل الظلام ولم نتحدث كثيرا عن هذا الأمر."},
      {"fa", "ما در کنار رودخانه راه رفتیم تا هوا تاریک شد و با هم زیاد صحبت نکردیم که این خوب است."},
      {"ur", "ہم دریا کے کنارے چلتے رہے اور یہ سب کے لیے ایک اچھی شام تھی۔"},
      {"hi", "हम नदी के किनारे चलते रहे और यह सभी के लिए एक अच्छी शाम थी।"},
      {"mr", "आम्ही नदीच्या काठाने चालत होतो आणि ही सर्वांसाठी एक चांगली संध्याकाळ आहे."},
      {"ne", "हामी नदीको किनारमा हिँड्यौं र यो सबैको लागि राम्रो साँझ थियो भने छ।"},
      {"bn", "আমরা নদীর ধার দিয়ে হেঁটে গেলাম।"},
      {"pa", "ਅਸੀਂ ਨਦੀ ਦੇ ਕੰਢੇ ਤੁਰਦੇ ਰਹੇ।"},
      {"gu", "અમે નદી કિનારે ચાલ્યા."},
      {"ta", "நாங்கள் ஆற்றங்கரையில் நடந்தோம்."},
      {"te", "మేము నది ఒడ్డున నడిచాము."},
      {"kn", "ನಾವು ನದಿಯ ದಡದಲ್ಲಿ ನಡೆದೆವು."},
      {"th", "เราเดินเลียบแม่น้ำจนมืด"},
      {"ko", "우리는 어두워질 때까지 강을 따라 걸었다."},
      {"ja", "私たちは暗くなるまで川沿いを歩いた。"},
      {"zh", "我们沿着河边走，直到天黑。"},
      {"he", "הלכנו לאורך הנהר עד שהחשיך."},
      {"el", "Περπατήσαμε κατά μήκος του ποταμού."},
  };
  for (const auto& [code, sentence] : sentences) EXPECT_EQ(guess_language(sentence), code) << sentence;
  EXPECT_EQ(guess_language("123 + 456 = 579"), "");
  EXPECT_EQ(guess_language("a nucleus is a cluster of"), "en");
  EXPECT_EQ(guess_language("glistening emerald hills, gulls glide over galway's grace"),
            "en");  // 's is no Czech word
  EXPECT_EQ(guess_language("etchings"), kUndetermined);
}

TEST(Words, AreCountedAsTheReferenceCountsThem) {
  EXPECT_EQ(count_words("It's a well-known fact: 3.5 > 2"), 9);  // It s a well known fact 3 5 2
  EXPECT_EQ(count_words("naïve café"), 2);
  EXPECT_EQ(count_sentences("Hello there. How are you? I'm fine!"), 3);
  EXPECT_EQ(count_sentences("Mr. Brown met Dr. Who at 5 p.m. in St. Ives. They left."), 2);
  EXPECT_EQ(count_sentences("He said \"Stop!\" and left. The end"),
            3);  // an exclamation mark always ends one
  EXPECT_EQ(count_sentences("Version 2.0 is out"), 1);
  EXPECT_EQ(count_sentences(""), 0);
  // Punkt's letters: "c." is an abbreviation, "a." an initial, which ends a sentence before a frequent word.
  EXPECT_EQ(count_sentences("You are in o. Let us check."), 2);
  EXPECT_EQ(count_sentences("You are in c. Let us check."), 1);
  EXPECT_EQ(count_sentences("Written by A. Smith."), 1);
  EXPECT_EQ(count_sentences("1. Item one. 2. Who is it?"), 3);  // a number and "who" stay together
  EXPECT_TRUE(all_upper_case(U"ABC 1-2"));
  EXPECT_FALSE(all_upper_case(U"123"));
  EXPECT_FALSE(all_lower_case(U"abC"));
  std::vector<std::u32string_view> tokens;
  each_treebank_token(U"I DON'T know, (U.S.) 1,000.",
                      [&](std::u32string_view token) { tokens.push_back(token); });
  EXPECT_EQ(tokens, (std::vector<std::u32string_view>{U"I", U"DO", U"N'T", U"know", U",", U"(", U"U.S.", U")",
                                                      U"1,000"}));
}

}  // namespace
}  // namespace r1::grade
