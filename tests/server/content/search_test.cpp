#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "server/content/search_index.h"
#include "server/content/search_provider.h"
#include "server/content/site_error.h"
#include "tests/server/content/local_web.h"
#include "tests/temporary_folder.h"

namespace r1::site {
namespace {

namespace fs = std::filesystem;

class Search : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << text;
  }
  static std::string titles(const std::vector<SearchText>& results) {
    std::string text;
    for (const SearchText& result : results)
      text += fmt::format("{}:{} ", result.source.number, result.source.title);
    return text;
  }

  const r1::test::TemporaryFolder temporary;
  const fs::path folder = temporary.path;
  FileExtractor extractor{Sandbox::detect(), {R1_EXTRACT_CHILD}};
  SearchIndex index{":memory:", extractor, PageFetcher({}, only_loopback)};
};

TEST_F(Search, finds_passages_in_english_and_chinese) {
  put("birds/heron.md", "# Herons\nThe heron stands in shallow water and eats fish.\n");
  put("birds/苍鹭.txt", "苍鹭站在浅水里，主要以小鱼和青蛙为食。\n");
  put("cars.txt", "Motors and wheels. Fishing is not in it.\n");
  put(".hidden/secret.txt", "heron heron heron");
  put("picture.png", "heron");
  const IndexEntry entry = index.refresh(index.add(folder.string()).id);
  EXPECT_EQ(entry.state, IndexEntry::State::ready) << *entry.error;
  EXPECT_EQ(entry.documents, 3);
  EXPECT_EQ(titles(index.search("What do herons eat?", 5)), "1:heron.md ");  // porter: herons, heron
  const auto found = index.search("苍鹭吃什么小鱼？", 5);
  EXPECT_EQ(titles(found), "1:苍鹭.txt ");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].source.snippet.find("小鱼"), std::string::npos);
  EXPECT_EQ(index.document(*found[0].source.document).text, "苍鹭站在浅水里，主要以小鱼和青蛙为食。\n");
  EXPECT_TRUE(index.search("What is it about? otters", 5).empty());  // "is", "it" say nothing
  EXPECT_EQ(index.search("it", 5).size(), 1U);                       // unless there is nothing else
  EXPECT_TRUE(index.search("\" OR *", 5).empty());
  EXPECT_EQ(IndexProvider(index).reason_not_ready(), std::nullopt);
}

TEST_F(Search, refreshing_reads_only_what_changed) {
  put("a.txt", "apples");
  put("b.txt", "bananas");
  const std::string id = index.add(folder.string()).id;
  EXPECT_EQ(index.add(folder.string() + "/.").id, id);  // the same place
  index.refresh(id);
  const std::string document = *index.search("apples", 1).at(0).source.document;
  put("a.txt", "cherries now");
  fs::remove(folder / "b.txt");
  put("c.txt", "dates");
  const IndexEntry entry = index.refresh(id);
  EXPECT_EQ(entry.documents, 2);
  EXPECT_TRUE(index.search("apples bananas", 5).empty());
  EXPECT_EQ(index.search("cherries", 5).at(0).source.document, document);  // the id stays
  EXPECT_EQ(index.search("dates", 5).size(), 1U);
  index.remove(id);
  EXPECT_TRUE(index.search("cherries", 5).empty());
  EXPECT_TRUE(index.list().empty());
  EXPECT_THROW(index.refresh(id), SiteError);
  EXPECT_NE(IndexProvider(index).reason_not_ready(), std::nullopt);
}

TEST_F(Search, says_what_could_not_be_read) {
  put("good.txt", "good");
  put("bad.txt", "\xff");
  IndexEntry entry = index.refresh(index.add(folder.string()).id);
  EXPECT_EQ(entry.state, IndexEntry::State::ready);
  EXPECT_EQ(*entry.error,
            "1 of 2 files could not be read; the first: bad.txt: not valid UTF-8 text: byte 0xff at 0");
  entry = index.refresh(index.add((folder / "bad.txt").string()).id);
  EXPECT_EQ(entry.state, IndexEntry::State::failed);
  EXPECT_THROW(index.add((folder / "none").string()), SiteError);
  EXPECT_THROW(index.add("ftp://example.org/"), SiteError);
}

/// For a file's rights to mean anything to a test that root runs.
class AsNobody {
 public:
  AsNobody() {
    if (geteuid() == 0 && seteuid(65534) != 0) throw std::runtime_error("cannot become nobody");
  }
  ~AsNobody() {
    if (getuid() == 0 && seteuid(0) != 0) std::abort();
  }
};

// A file of somebody else's ended the reading of its whole folder.
TEST_F(Search, a_file_that_may_not_be_read_is_told_and_passed_over) {
  put("a.txt", "apples");
  put("b.txt", "bananas");
  put("c.txt", "cherries");
  const std::string id = index.add(folder.string()).id;
  ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
  ASSERT_EQ(chmod((folder / "b.txt").c_str(), 0), 0);
  const AsNobody nobody;
  const IndexEntry entry = index.refresh(id);
  EXPECT_EQ(entry.documents, 2);
  EXPECT_EQ(*entry.error, "1 of 3 files could not be read; the first: b.txt: cannot be read");
}

TEST_F(Search, pages) {
  LocalWeb web([](const std::string& path) {
    if (path == "/gone") return std::string("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    return LocalWeb::page("text/html", "<title>Handbook</title><script>x</script><p>All about otters.");
  });
  IndexEntry entry = index.refresh(index.add(web.url("/handbook")).id);
  EXPECT_EQ(entry.state, IndexEntry::State::ready);
  const auto found = index.search("otters", 5);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].source.title, "Handbook");
  EXPECT_EQ(found[0].source.url, web.url("/handbook"));
  EXPECT_EQ(found[0].source.document, std::nullopt);
  entry = index.refresh(index.add(web.url("/gone")).id);
  EXPECT_EQ(entry.state, IndexEntry::State::failed);
  EXPECT_NE(entry.error->find("answered 404"), std::string::npos);
  SearchIndex guarded(":memory:", extractor);
  entry = guarded.refresh(guarded.add(web.url("/handbook")).id);
  EXPECT_NE(entry.error->find("not a public address"), std::string::npos);
}

TEST_F(Search, searxng_results_with_their_pages) {
  std::string asked;
  LocalWeb web([&](const std::string& path) -> std::string {
    if (path == "/page") return LocalWeb::page("text/html", "<p>The whole page about otters.");
    if (path.starts_with("/broken/")) return LocalWeb::page("text/html", "<p>JSON is not allowed here");
    if (!path.starts_with("/search")) return LocalWeb::redirect("/");
    asked = path;
    const std::string here = "http://127.0.0.1:" + std::to_string(web.port) + "/page";
    const Json results = {
        {{"title", "Otters"}, {"url", here}, {"content", "snippet"}, {"publishedDate", "2024-05-06T00"}},
        {{"title", "evil"}, {"url", "javascript:alert(1)"}, {"content", ""}},
        {{"title", "Gone"}, {"url", "http://127.0.0.1:1/"}, {"content", "only a snippet"}}};
    return LocalWeb::page("application/json", Json{{"results", results}}.dump());
  });
  SearxngOptions options;
  options.address = web.url("/");
  options.page_guard = only_loopback;
  SearxngProvider provider(options, extractor);
  const auto found = provider.search("what? 水獭&q=", 5, {});
  EXPECT_EQ(asked, "/search?format=json&q=what%3F%20%E6%B0%B4%E7%8D%AD%26q%3D");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].text, "The whole page about otters.\n");
  EXPECT_EQ(found[0].source.date, "2024-05-06");
  EXPECT_EQ(found[1].text, "");
  EXPECT_EQ(found[1].source.number, 2);
  EXPECT_NE(render_search_results(found).find("[webpage 2 begin]Gone"), std::string::npos);
  options.page_guard = is_public_address;  // as it is outside tests: results that lead inside are not fetched
  EXPECT_EQ(SearxngProvider(options, extractor).search("x", 5, {}).at(0).text, "");
  options.address = web.url("/broken/");
  EXPECT_THROW(SearxngProvider(options, extractor).search("x", 5, {}), SiteError);
  EXPECT_EQ(SearxngProvider({}, extractor).reason_not_ready(), "no address configured");
}

TEST(Passages, cover_the_text_and_do_not_cut_characters) {
  std::string text;
  for (int i = 0; i < 200; ++i)
    text += "第" + std::to_string(i) + "句话说的是同一件事。" + (i % 40 == 0 ? "\n" : "");
  std::string whole;
  for (const std::string& passage : divide_into_passages(text, 300)) {
    EXPECT_LE(passage.size(), 300U);
    EXPECT_NE(static_cast<unsigned char>(passage[0]) & 0xc0, 0x80);
    whole += passage;
  }
  EXPECT_EQ(whole, text);
  EXPECT_EQ(divide_into_passages(std::string(1000, 'x'), 300).size(), 4U);
  EXPECT_TRUE(divide_into_passages(" \n ", 300).empty());
}

}  // namespace
}  // namespace r1::site
