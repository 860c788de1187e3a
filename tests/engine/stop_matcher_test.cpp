#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace r1 {
namespace {

/// The text before the stop string that is complete first, by trying every end.
std::string reference(const std::string& text, const std::vector<std::string>& stops, std::string& matched) {
  for (size_t end = 1; end <= text.size(); ++end) {
    for (const std::string& stop : stops) {
      if (stop.size() > matched.size() && text.substr(0, end).ends_with(stop)) matched = stop;
    }
    if (!matched.empty()) return text.substr(0, end - matched.size());
  }
  return text;
}

TEST(StopMatcher, FindsTheFirstHoweverTheTextIsCut) {
  int found = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    uint64_t draw = 0;
    const auto random = [&](uint64_t below) { return random_bits(seed, draw++) % below; };
    const auto word = [&](uint64_t longest) {
      std::string text;
      for (uint64_t left = 1 + random(longest); left > 0; --left) text += static_cast<char>('a' + random(2));
      return text;
    };
    const std::string text = word(40);
    std::vector<std::string> stops;
    for (uint64_t count = 1 + random(3); count > 0; --count) stops.push_back(word(7));
    StopMatcher matcher(stops);
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t length = 1 + random(4);
      out += matcher.push(std::string_view(text).substr(at, length));
      at += length;
    }
    out += matcher.finish();
    std::string matched;
    EXPECT_EQ(out, reference(text, stops, matched)) << text;
    EXPECT_EQ(matcher.matched(), matched);
    found += matched.empty() ? 0 : 1;
  }
  EXPECT_GT(found, 1000);
}

TEST(StopMatcher, HoldsBackOnlyWhatMayBeAStop) {
  StopMatcher matcher({"STOP"});
  EXPECT_EQ(matcher.push("one S"), "one ");
  EXPECT_EQ(matcher.push("T"), "");
  EXPECT_EQ(matcher.push("A"), "STA");
  EXPECT_EQ(matcher.push("ST"), "");
  EXPECT_EQ(matcher.finish(), "ST");
  EXPECT_THROW(StopMatcher({""}), Error);
}

}  // namespace
}  // namespace r1
