#include "text/unicode.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>
#include <string>

#include "base/random.h"

namespace r1 {
namespace {

const std::string replacement = "\xef\xbf\xbd";

TEST(Unicode, repairs_one_mark_for_each_maximal_invalid_part) {
  EXPECT_EQ(repair_utf8("a\xff\xfe z"), "a" + replacement + replacement + " z");
  EXPECT_EQ(repair_utf8("\xf0\x9f\x91x"), replacement + "x");                       // cut emoji: one mark
  EXPECT_EQ(repair_utf8("\xe0\x80\x80"), replacement + replacement + replacement);  // overlong
  EXPECT_EQ(repair_utf8("\xed\xa0\x80"), replacement + replacement + replacement);  // surrogate
  EXPECT_EQ(repair_utf8("\xf4\x90\x80\x80"), replacement + replacement + replacement + replacement);
  EXPECT_EQ(repair_utf8("\xe4\xbd"), replacement);
}

TEST(Unicode, classes) {
  const CharacterTable& table = CharacterTable::instance();
  EXPECT_TRUE(table[U'a'] & class_letter);
  EXPECT_TRUE(table[0x4e00] & class_kanji_kana);
  EXPECT_TRUE(table[0x301] & class_mark);
  EXPECT_TRUE(table[0xbd] & class_number);
  EXPECT_TRUE(table[0x85] & class_space);
  EXPECT_FALSE(table[0x180e] & class_space);
  EXPECT_FALSE(table[0xfeff] & class_space);
  EXPECT_TRUE(table[0x1faea] & class_symbol);  // of Unicode 17
}

TEST(Unicode, nfc_by_runs_is_nfc_of_the_whole) {
  uint64_t counter = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (int k = 0; k < 8; ++k) {
      const uint64_t kind = random_bits(5, counter++) % 6;
      const auto pick = [&](uint32_t first, uint32_t count) {
        return first + static_cast<uint32_t>(random_bits(6, counter++) % count);
      };
      append_utf8(kind == 0   ? pick('a', 26)
                  : kind == 1 ? pick(0x300, 0x70)
                  : kind == 2 ? pick(0x1100, 0x100)
                  : kind == 3 ? pick(0xac00, 11172)
                  : kind == 4 ? pick(0xf900, 0x200)
                              : pick(0xa0, 0x2f00),
                  text);
    }
    utf8proc_uint8_t* whole = utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str()));
    ASSERT_NE(whole, nullptr);
    const std::string expected = reinterpret_cast<const char*>(whole);
    std::free(whole);
    ASSERT_EQ(normalise_nfc(text), expected);
    if (is_surely_nfc(text)) {
      ASSERT_EQ(text, expected);
    }
  }
}

}  // namespace
}  // namespace r1
