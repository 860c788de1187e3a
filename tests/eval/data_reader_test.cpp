#include "eval/data_reader.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "eval/data_location.h"
#include "tests/temporary_folder.h"

namespace r1::eval {
namespace {

class DataReader : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_.path / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  static std::string gzip(const std::string& text) {
    std::string packed(text.size() + 1000, '\0');
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<unsigned>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<unsigned>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(packed.size() - stream.avail_out);
    deflateEnd(&stream);
    return packed;
  }
  test::TemporaryFolder folder_;
};

TEST_F(DataReader, ReadsEveryForm) {
  const std::string lines = "{\"a\": 1}\n\n{\"a\": \"zwei\"}\n";
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"x.jsonl", lines},
           {"bom.jsonl", "\xef\xbb\xbf" + lines},
           {"list.json", "[{\"a\": 1}, {\"a\": \"zwei\"}]"},
           {"lines.json", lines},
           {"x.jsonl.gz", gzip(lines)},
           {"members.jsonl.gz", gzip("{\"a\": 1}\n") + gzip("{\"a\": \"zwei\"}\n")},
           {"x.csv", "a\n1\nzwei\n"}}) {
    const auto records = read_data(write(name, text));
    ASSERT_EQ(records.size(), 2U) << name;
    EXPECT_EQ((*records[1])["a"], "zwei") << name;
  }
  const auto quoted = read_data(write("q.csv", "q,a\r\n\"one, \"\"two\"\"\nthree\",4\r\n"));
  EXPECT_EQ((*quoted.at(0))["q"], "one, \"two\"\nthree");
}

TEST_F(DataReader, NamesWhatIsWrong) {
  const std::string packed = gzip(std::string(1000, ' ') + "{}");
  for (const auto& [name, text, message] : std::vector<std::array<std::string, 3>>{
           {"broken.jsonl", "{\"a\": 1}\n{\"a\": \n", "broken.jsonl:2"},
           {"short.jsonl.gz", packed.substr(0, packed.size() / 2), "damaged or ends early"},
           {"plain.jsonl.gz", "{}", "expected gzip"},
           {"x.parquet", "PAR1", ".parquet"}}) {
    const auto path = write(name, text);
    try {
      read_data(path);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(read_data(folder_.path), Error);
  EXPECT_THROW(read_data(folder_.path / "absent.jsonl"), Error);
}

TEST_F(DataReader, ItemsHaveTheDatasIdsOrNumbers) {
  const Benchmark& math = find_benchmark("math");
  const ItemList own =
      read_items(math, write("own.jsonl",
                             "{\"id\": 7, \"question\": \"q\", \"answer\": 1}\n{\"id\": \"b\", \"problem\": "
                             "\"p\", \"label\": \"2\"}\n"));
  ASSERT_EQ(own.items.size(), 2U);
  EXPECT_EQ(own.items[0].id, "7");
  EXPECT_EQ(own.items[1].id, "b");
  EXPECT_EQ(own.items[1].line, 1);
  for (const char* lines :
       {"{\"question\": \"q\", \"answer\": 1}\n{\"question\": \"p\", \"answer\": 2}\n",
        "{\"id\": 7, \"question\": \"q\", \"answer\": 1}\n{\"question\": \"p\", \"answer\": 2}\n",
        "{\"id\": 7, \"question\": \"q\", \"answer\": 1}\n{\"id\": 7, \"question\": \"p\", "
        "\"answer\": 2}\n"}) {
    const ItemList list = read_items(math, write("numbered.jsonl", lines));
    EXPECT_EQ(list.items[0].id, "0") << lines;
    EXPECT_EQ(list.items[1].id, "1") << lines;
  }
  try {
    read_items(math, write("bad.jsonl", "{\"question\": \"q\"}\n"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("record 1: field 'answer'"), std::string::npos) << error.what();
  }
}

TEST_F(DataReader, DataIsFoundInAFileOrAFolder) {
  const Benchmark& benchmark = find_benchmark("MATH_500");
  const auto deep = write("evals/math500/test.jsonl", "{}\n");
  EXPECT_EQ(find_data(benchmark, (folder_.path / "evals").string()), deep);
  EXPECT_EQ(find_data(benchmark, (folder_.path / "evals/math500").string()), deep);
  EXPECT_EQ(find_data(benchmark, deep.string()), deep);
  EXPECT_THROW(find_data(benchmark, (folder_.path / "none").string()), Error);
  EXPECT_THROW(find_data(find_benchmark("math"), (folder_.path / "evals").string()), Error);
}

}  // namespace
}  // namespace r1::eval
