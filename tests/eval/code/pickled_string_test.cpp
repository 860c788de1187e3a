#include "eval/code/pickled_string.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/error.h"

namespace r1::eval {
namespace {

using namespace std::string_literals;

std::string error_of(std::string_view pickle) {
  try {
    read_pickled_string(pickle);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

// Written by Python's pickle.dumps("aé\n€😀", protocol).
TEST(PickledString, EveryProtocol) {
  const std::string text = "aé\n€😀";
  EXPECT_EQ(read_pickled_string("Va\xe9\\u000a\\u20ac\\U0001f600\np0\n."s), text);
  EXPECT_EQ(read_pickled_string("X\x0b\0\0\0a\xc3\xa9\n\xe2\x82\xac\xf0\x9f\x98\x80q\0."s), text);
  EXPECT_EQ(read_pickled_string("\x80\2X\x0b\0\0\0a\xc3\xa9\n\xe2\x82\xac\xf0\x9f\x98\x80q\0."s), text);
  EXPECT_EQ(read_pickled_string("\x80\4\x95\x0f\0\0\0\0\0\0\0\x8c\x0b"
                                "a\xc3\xa9\n\xe2\x82\xac\xf0\x9f\x98\x80\x94."s),
            text);
  EXPECT_EQ(read_pickled_string("\x80\4\x8d\2\0\0\0\0\0\0\0[]\x94."s), "[]");
}

TEST(PickledString, RefusesWhatIsNoStringByName) {
  // os.system("true"): what a pickle can do.
  EXPECT_EQ(error_of("cos\nsystem\n(S'true'\ntR."),
            "pickle, byte 0: expected a string, found the opcode GLOBAL");
  EXPECT_EQ(error_of("\x80\4\x8c\5posix\x8c\6system\x93."s), "pickle, byte 9: more than one string");
  EXPECT_EQ(error_of("\x80\4\x93."s), "pickle, byte 2: expected a string, found the opcode STACK_GLOBAL");
  EXPECT_EQ(error_of("\x80\4K\1."s), "pickle, byte 2: expected a string, found the opcode BININT1");
  EXPECT_EQ(error_of("]."), "pickle, byte 0: expected a string, found the opcode EMPTY_LIST");
  EXPECT_EQ(error_of("\xff."), "pickle, byte 0: expected a string, found the opcode 0xff");
  EXPECT_EQ(error_of("\x80\x09."), "pickle, byte 0: protocol: expected 0 to 5");
}

TEST(PickledString, RefusesDamagedOnes) {
  EXPECT_EQ(error_of(""), "pickle, byte 0: ends early");
  EXPECT_EQ(error_of("."), "pickle, byte 0: the pickle ends without a string");
  EXPECT_EQ(error_of("X\xff\xff\xff\xff"), "pickle, byte 0: ends early");
  EXPECT_EQ(error_of("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
                     "a."),
            "pickle, byte 0: ends early");
  EXPECT_EQ(error_of("Vab"), "pickle, byte 0: a line without end");
  EXPECT_EQ(error_of("V\\u12g4\n."), "pickle, byte 0: a bad escape");
  EXPECT_EQ(error_of("V\\ud800\n."), "pickle, byte 0: a bad character");
  EXPECT_EQ(error_of("Va\n.x"), "pickle, byte 3: bytes after the end");
}

// Python: base64.b64encode(zlib.compress(pickle.dumps('[{"input": "1 2", "output": "3", "testtype": "stdin"}]'))).
constexpr const char* kPacked =
    "eJxrYJlqxQABPWbR1UqZeQWlJUpWCkqGCkZKOgpK+a"
    "UlUAFjELcktbikpLIgFSRQXJKSmadUGztFDwBUwBMB";

TEST(PickledString, UnpacksTheFormOfLiveCodeBench) {
  EXPECT_EQ(unpack_string(kPacked, 1000), R"([{"input": "1 2", "output": "3", "testtype": "stdin"}])");
}

TEST(PickledString, ABombIsRefused) {
  EXPECT_THROW(unpack_string(kPacked, 20), Error);
  // 100,000 zero bytes.
  EXPECT_THROW(
      unpack_string("eNrtwTEBAAAAwqD1T20ND6AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACAVwOGrwAB",
                    1000),
      Error);
  EXPECT_THROW(unpack_string("no base64!", 1000), Error);
  EXPECT_THROW(unpack_string("", 1000), Error);
}

}  // namespace
}  // namespace r1::eval
