#include "server/content/conversation_store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <random>

#include "server/content/site_error.h"
#include "tests/server/small_disk.h"
#include "tests/temporary_folder.h"

namespace r1::site {
namespace {

using Folder = r1::test::TemporaryFolder;

Node question(const std::string& id, std::optional<std::string> parent, const std::string& content) {
  Node node;
  node.id = id;
  node.parent = std::move(parent);
  node.content = content;
  node.created = 1000;
  return node;
}

Node answer(const std::string& id, const std::string& parent, AnswerState state, const std::string& content) {
  Node node = question(id, parent, content);
  node.role = Role::assistant;
  node.state = state;
  node.model = "model";
  return node;
}

template <typename Call>
std::string refusal(const Call& call, SiteError::Code code) {
  try {
    call();
  } catch (const SiteError& error) {
    EXPECT_EQ(error.code, code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "was not refused";
  return "";
}

Json exported_of(ConversationStore& store) {
  return Json::parse(store.export_part("me").document);
}

class Store : public testing::Test {
 protected:
  int64_t time = 10'000;
  ConversationStore store{":memory:", [this] { return ++time; }};
  const std::string me = "me";

  /// question-1 → answer-1a, answer-1b → question-2
  void fill(const std::string& id = "conversation-1", const std::string& prefix = "") {
    store.create(me, id, "A title", 900);
    store.add_question(me, id, question(prefix + "question-1", std::nullopt, "What is a heron?"));
    Node first = answer(prefix + "answer-1a", prefix + "question-1", AnswerState::running, "");
    first.sources = {{1, "Birds", "https://example.org/", std::nullopt, "example.org", "2025-01-02", "…"}};
    store.add_answer(me, id, first);
    first.state = AnswerState::done;
    first.content = "A wading bird.";
    first.reasoning = "Hm.";
    first.thinking_ms = 12;
    first.usage = {
        {"prompt_tokens", 1}, {"cached_tokens", 0}, {"completion_tokens", 2}, {"reasoning_tokens", 1}};
    store.update_answers(me, {&first, 1});
    store.add_answer(
        me, id, answer(prefix + "answer-1b", prefix + "question-1", AnswerState::done, "苍鹭是一种鸟。"));
    store.add_question(me, id, question(prefix + "question-2", prefix + "answer-1b", "它吃什么？"));
  }
};

TEST_F(Store, keeps_a_tree) {
  fill();
  const Conversation read = store.read(me, "conversation-1");
  ASSERT_EQ(read.nodes.size(), 4U);
  EXPECT_EQ(read.leaf, "question-2");
  EXPECT_EQ(read.running, std::nullopt);
  EXPECT_EQ(read.nodes[1].content, "A wading bird.");
  EXPECT_EQ(read.nodes[1].reasoning, "Hm.");
  EXPECT_EQ(read.nodes[1].thinking_ms, 12);
  EXPECT_EQ(read.nodes[1].sources.at(0).url, "https://example.org/");
  EXPECT_EQ(to_json(read.nodes[1])["usage"]["completion_tokens"], 2);
  EXPECT_EQ(read.nodes[2].parent, "question-1");
  const auto branch = store.branch(me, "conversation-1", "question-2");
  ASSERT_EQ(branch.size(), 3U);
  EXPECT_EQ(branch[1].id, "answer-1b");
  EXPECT_EQ(store.change(me, "conversation-1", "New", "answer-1a").leaf, "answer-1a");
  EXPECT_EQ(store.read(me, "conversation-1").title, "New");
  store.check_integrity();
}

TEST_F(Store, repeated_requests_change_nothing_and_others_are_conflicts) {
  fill();
  EXPECT_FALSE(store.create(me, "conversation-1", "A title", 900).is_new);
  EXPECT_FALSE(
      store.add_question(me, "conversation-1", question("question-1", std::nullopt, "What is a heron?"))
          .is_new);
  refusal([&] { store.add_question(me, "conversation-1", question("question-1", std::nullopt, "Other")); },
          SiteError::Code::conflict);
  EXPECT_EQ(
      store.add_answer(me, "conversation-1", answer("answer-1a", "question-1", AnswerState::running, ""))
          .node.content,
      "A wading bird.");
  EXPECT_EQ(store.read(me, "conversation-1").nodes.size(), 4U);
}

TEST_F(Store, refuses_what_is_no_tree) {
  fill();
  using enum SiteError::Code;
  refusal([&] { store.add_question(me, "conversation-1", question("question-9", "question-1", "")); },
          invalid);
  refusal([&] { store.add_question(me, "conversation-1", question("question-9", "nowhere-99", "")); },
          invalid);
  refusal([&] { store.add_question(me, "conversation-1", question("bad id", std::nullopt, "")); }, invalid);
  refusal([&] { store.change(me, "conversation-1", {}, "nowhere-99"); }, invalid);
  Node with_file = question("question-9", std::nullopt, "");
  with_file.files = {{"no-such-file", "", 0, 0}};
  EXPECT_EQ(refusal([&] { store.add_question(me, "conversation-1", with_file); }, invalid),
            "files: there is no file 'no-such-file'");
  EXPECT_EQ(store.read(me, "conversation-1").nodes.size(), 4U);  // nothing of it stayed
}

TEST_F(Store, owners_do_not_see_each_other) {
  fill();
  const std::string other = "other";
  using enum SiteError::Code;
  refusal([&] { store.read(other, "conversation-1"); }, not_found);
  refusal([&] { store.read_node(other, "question-1"); }, not_found);
  refusal([&] { store.remove(other, "conversation-1"); }, not_found);
  refusal([&] { store.branch(other, "conversation-1", "question-2"); }, not_found);
  EXPECT_TRUE(store.list(other, 10, {}).conversations.empty());
  EXPECT_TRUE(store.search(other, "heron", 10).empty());
  EXPECT_TRUE(store.create(other, "conversation-1", "Theirs", 1).is_new);
  refusal(
      [&] {
        store.add_answer(other, "conversation-1", answer("answer-x1", "question-1", AnswerState::done, ""));
      },
      invalid);
  store.remove_all(other);
  EXPECT_EQ(store.read(me, "conversation-1").nodes.size(), 4U);
}

TEST_F(Store, lists_in_pages_last_changed_first) {
  for (int i = 0; i < 7; ++i) store.create(me, fmt::format("conversation-{}", i), "t", 1);
  store.add_question(me, "conversation-2", question("question-1", std::nullopt, ""));
  std::vector<std::string> ids;
  std::optional<std::string> cursor;
  do {
    const SummaryPage page = store.list(me, 3, cursor);
    for (const Summary& summary : page.conversations) ids.push_back(summary.id.substr(13));
    cursor = page.next;
  } while (cursor);
  EXPECT_EQ(ids, (std::vector<std::string>{"2", "6", "5", "4", "3", "1", "0"}));
  refusal([&] { store.list(me, 3, "nonsense"); }, SiteError::Code::invalid);
  refusal([&] { store.list(me, 3, "12.x"); }, SiteError::Code::invalid);
}

TEST_F(Store, searches_titles_questions_and_answers_in_english_and_chinese) {
  fill();
  const auto found = [&](const std::string& query) {
    std::string text;
    for (const FoundConversation& one : store.search(me, query, 10)) {
      text += one.node.value_or("title") + ":";
      for (const SnippetPart& part : one.snippet) text += part.match ? "[" + part.text + "]" : part.text;
    }
    return text;
  };
  EXPECT_EQ(found("HERON"), "question-1:What is a [heron]?");
  EXPECT_EQ(found("her"),
            "question-1:What is a [her"
            "on]?");  // a beginning of the last word
  EXPECT_EQ(found("a wad"), "answer-1a:[A] [wading] bird.");
  EXPECT_EQ(found("bird heron"), "");  // all words in one message
  EXPECT_EQ(found("title"), "title:A [title]");
  EXPECT_EQ(found("鸟"), "answer-1b:苍鹭是一种[鸟]。");
  EXPECT_EQ(found("苍鹭"), "answer-1b:[苍鹭]是一种鸟。");
  EXPECT_EQ(found("鹭苍"), "");
  EXPECT_EQ(found("吃什么"), "question-2:它[吃什么]？");
  EXPECT_EQ(found("\"( AND *"), "");  // no syntax of FTS5's
  EXPECT_EQ(found("heron\"*:^ NEAR("), "");
  store.change(me, "conversation-1", "Vögel", {});
  EXPECT_EQ(found("title"), "");
  EXPECT_EQ(found("vogel"), "title:[Vögel]");
  store.remove(me, "conversation-1");
  EXPECT_EQ(found("heron"), "");
  store.check_integrity();
}

TEST_F(Store, settings_have_defaults_and_are_checked) {
  EXPECT_EQ(store.settings(me)["deep_think"], true);
  Json changed = store.change_settings(me, {{"theme", "dark"}, {"temperature", 0.5}, {"deep_think", false}});
  EXPECT_EQ(changed["theme"], "dark");
  EXPECT_EQ(changed["temperature"], 0.5);
  changed = store.change_settings(me, {{"deep_think", nullptr}});
  EXPECT_EQ(changed["deep_think"], true);
  EXPECT_EQ(changed["theme"], "dark");
  EXPECT_EQ(store.settings("other")["theme"], nullptr);
  const auto refused = [&](const Json& patch) {
    return refusal([&] { store.change_settings(me, patch); }, SiteError::Code::invalid);
  };
  EXPECT_EQ(refused({{"theme", "pink"}}), "theme: expected light, dark or null, found \"pink\"");
  EXPECT_EQ(refused({{"top_p", 2}}), "top_p: expected a number from 0 to 1, or null, found 2");
  EXPECT_NE(refused({{"colour", 1}}).find("there is no such field"), std::string::npos);
}

TEST_F(Store, files_live_as_long_as_something_has_them) {
  fill();
  StoredFile file;
  file.id = "file-0001";
  file.name = "a.txt";
  file.text = "text";
  file.created = 5;
  store.add_file(me, file);
  file.id = "file-0002";
  store.add_file(me, file);
  Node with_file = question("question-9", std::nullopt, "");
  with_file.files = {{"file-0001", "", 0, 0}};
  store.add_question(me, "conversation-1", with_file);
  store.create(me, "conversation-2", "", 1);
  with_file.id = "question-10";
  store.add_question(me, "conversation-2", with_file);
  EXPECT_EQ(store.read_node(me, "question-9").node.files.at(0).name, "a.txt");
  refusal([&] { store.remove_file(me, "file-0001"); }, SiteError::Code::conflict);
  EXPECT_EQ(store.remove_unused_files(6), 1);
  refusal([&] { store.read_file(me, "file-0002"); }, SiteError::Code::not_found);
  store.remove(me, "conversation-1");
  EXPECT_EQ(store.read_file(me, "file-0001").text, "text");
  store.remove(me, "conversation-2");
  refusal([&] { store.read_file(me, "file-0001"); }, SiteError::Code::not_found);
  store.check_integrity();
}

TEST_F(Store, export_and_import_round_trip) {
  fill();
  StoredFile file;
  file.id = "file-0001";
  file.name = "a.txt";
  file.text = "文本";
  file.bytes = 6;
  file.tokens = 2;
  file.characters = 2;
  store.add_file(me, file);
  Node with_file = question("question-9", std::nullopt, "see the file");
  with_file.files = {{"file-0001", "", 0, 0}};
  store.add_question(me, "conversation-1", with_file);
  const Json exported = exported_of(store);
  ConversationStore second(":memory:");
  const auto counts = second.import(me, exported.dump());
  EXPECT_EQ(counts.imported, 1);
  EXPECT_EQ(exported_of(second), exported);
  EXPECT_EQ(second.read_file(me, "file-0001").characters, 2);
  EXPECT_EQ(second.import(me, exported.dump()).skipped, 1);
  EXPECT_EQ(second.search(me, "wading", 5).size(), 1U);
  second.check_integrity();
  const std::string markdown = store.export_markdown(me, "conversation-1");
  EXPECT_NE(markdown.find("# A title"), std::string::npos);
  EXPECT_NE(markdown.find("File: a.txt"), std::string::npos);
}

TEST_F(Store, import_refuses_a_malformed_document_whole_and_says_where) {
  fill();
  fill("conversation-2", "z");
  const Json good = exported_of(store);
  ConversationStore second(":memory:");
  const auto refused = [&](const char* pointer, const Json& value) {
    Json bad = good;
    bad[Json::json_pointer(pointer)] = value;
    const std::string message = refusal([&] { second.import(me, bad.dump()); }, SiteError::Code::invalid);
    EXPECT_TRUE(second.list(me, 10, {}).conversations.empty());
    return message;
  };
  EXPECT_EQ(refused("/version", 2), "version: expected 1, found 2");
  EXPECT_EQ(
      refused("/conversations/1/nodes/1/state", "odd"),
      "conversations[1].nodes[1].state: expected running, done, stopped, length or failed, found \"odd\"");
  EXPECT_EQ(refused("/conversations/1/nodes/3/parent", "nowhere-99"),
            "conversations[1].nodes[3].parent: there is no node 'nowhere-99' before it");
  EXPECT_EQ(refused("/conversations/1/nodes/3/id", "zquestion-1"),
            "conversations[1].nodes[3].id: 'zquestion-1' is there twice");
  EXPECT_EQ(refused("/conversations/1/extra", 1), "conversations[1].extra: there is no such field");
  EXPECT_EQ(refused("/conversations/1/leaf", "nowhere-99"),
            "conversations[1].leaf: there is no node 'nowhere-99'");
  EXPECT_EQ(
      refused("/conversations/0/nodes/1/sources/0/url", "javascript:1"),
      "conversations[0].nodes[1].sources[0].url: expected an http or https address, found \"javascript:1\"");
  // A continuation counts on from these: an empty object broke the pass that it was in.
  EXPECT_EQ(refused("/conversations/0/nodes/1/usage", Json::object()),
            "conversations[0].nodes[1].usage.prompt_tokens: missing");
  EXPECT_EQ(
      refused("/conversations/0/nodes/1/usage/completion_tokens", 1e300),
      "conversations[0].nodes[1].usage.completion_tokens: expected an integer of 0 or more, found 1e+300");
  refusal([&] { second.import(me, "{\"format\":"); }, SiteError::Code::invalid);
  refusal([&] { second.import(me, R"({"version": 1e999})"); }, SiteError::Code::invalid);
  refusal([&] { second.import(me, std::string(1'000'000, '[')); }, SiteError::Code::invalid);
  refusal([&] { second.import(me, "\xff"); }, SiteError::Code::invalid);
  EXPECT_EQ(refusal(
                [&] {
                  second.import(me,
                                R"({"format": "r1-conversations", "version": 1, "conversations": [{"id": 1,
                                       "title": "a", "title": "b"}]})");
                },
                SiteError::Code::invalid),
            "conversations[0].title: this key is given more than once");
  Json running = good;
  running["conversations"][0]["nodes"][1]["state"] = "running";
  second.import(me, running.dump());
  EXPECT_EQ(second.read_node(me, "answer-1a").node.state, AnswerState::stopped);
}

TEST_F(Store, deletes_a_conversation_of_thousands_of_turns) {
  store.create(me, "conversation-1", "", 1);
  std::optional<std::string> parent;
  Json nodes = Json::array();
  for (int i = 0; i < 3000; ++i) {
    Node node = i % 2 == 0 ? question(fmt::format("node-{:05}", i), parent, "q")
                           : answer(fmt::format("node-{:05}", i), *parent, AnswerState::done, "a");
    parent = node.id;
    nodes.push_back(to_json(node));
  }
  const Json document = {{"format", "r1-conversations"},
                         {"version", 1},
                         {"conversations",
                          {{{"id", "conversation-2"},
                            {"title", ""},
                            {"created", 1},
                            {"updated", 1},
                            {"leaf", *parent},
                            {"running", nullptr},
                            {"nodes", nodes},
                            {"files", Json::array()}}}}};
  store.import(me, document.dump());
  EXPECT_EQ(store.branch(me, "conversation-2", *parent).size(), 3000U);
  store.remove(me, "conversation-2");
  store.check_integrity();
}

TEST_F(Store, an_owner_has_a_quota) {
  store.set_quota(1 << 20, "operator");
  store.create(me, "conversation-1", "A title", 900);
  const std::string large(300'000, 'x');
  for (int i = 0; i < 3; ++i)
    store.add_question(me, "conversation-1", question(fmt::format("question-{}", i), std::nullopt, large));
  const auto one_more = [&] {
    store.add_question(me, "conversation-1", question("question-9", std::nullopt, large));
  };
  EXPECT_EQ(refusal(one_more, SiteError::Code::too_large),
            "this would be more than the 1 MiB that a key may store: delete something first");
  StoredFile file;
  file.id = "file-0001";
  file.text = large;
  refusal([&] { store.add_file(me, file); }, SiteError::Code::too_large);
  refusal(
      [&] {
        store.import(me, std::string(2 << 20, ' ') +
                             R"({"format": "r1-conversations", "version": 1, "conversations": []})");
      },
      SiteError::Code::too_large);
  // Another one has room of its own, who runs the server has no quota, and what is removed makes room.
  store.add_file("somebody", file);
  store.create("operator", "conversation-2", "A title", 900);
  for (int i = 0; i < 9; ++i)
    store.add_question("operator", "conversation-2",
                       question(fmt::format("question-{}", i), std::nullopt, large));
  store.remove(me, "conversation-1");
  store.create(me, "conversation-1", "A title", 900);
  one_more();
}

TEST_F(Store, an_import_has_a_limited_number_of_nodes) {
  Json nodes = Json::array();
  for (size_t i = 0; i <= kMaxImportedNodes; ++i) {
    nodes.push_back({{"id", fmt::format("question-{:06}", i)},
                     {"parent", nullptr},
                     {"role", "user"},
                     {"created", 1},
                     {"content", "q"},
                     {"files", Json::array()}});
  }
  const Json document = {{"format", "r1-conversations"},
                         {"version", 1},
                         {"conversations",
                          {{{"id", "conversation-1"},
                            {"title", "t"},
                            {"created", 1},
                            {"updated", 1},
                            {"leaf", nullptr},
                            {"running", nullptr},
                            {"nodes", nodes},
                            {"files", Json::array()}}}}};
  refusal([&] { store.import(me, document.dump()); }, SiteError::Code::too_large);
  EXPECT_TRUE(store.list(me, 10, std::nullopt).conversations.empty());
}

TEST_F(Store, what_is_exported_can_be_imported_however_much_it_is) {
  constexpr int64_t kTexts = 9;
  const std::string long_text(size_t{4} << 20, 'x');
  for (int64_t i = 0; i < kTexts; ++i) {
    const std::string id = fmt::format("conversation-{}", i);
    store.create(me, id, "t", 1);
    store.add_question(me, id, question(fmt::format("question-{}", i), std::nullopt, long_text));
  }
  ConversationStore second(":memory:");
  int64_t parts = 0, imported = 0;
  for (std::optional<int64_t> next = 0; next; ++parts) {
    const auto part = store.export_part(me, *next);
    EXPECT_LT(part.document.size(), size_t{33} << 20);
    imported += second.import(me, part.document).imported;
    next = part.next;
  }
  EXPECT_EQ(imported, kTexts);
  EXPECT_GT(parts, 2);
  EXPECT_EQ(second.list(me, 100, std::nullopt).conversations.size(), static_cast<size_t>(kTexts));
  EXPECT_EQ(Json::parse(store.export_part("nobody").document)["conversations"], Json::array());
}

TEST_F(Store, a_search_has_a_limited_number_of_words) {
  fill();
  std::string words;
  for (size_t i = 0; i < kMaxQueryWords; ++i) words += fmt::format("heron{} ", i);
  EXPECT_TRUE(store.search(me, words, 5).empty());
  refusal([&] { store.search(me, words + "one", 5); }, SiteError::Code::invalid);
  std::string characters;
  for (size_t i = 0; i <= kMaxQueryWords; ++i) characters += "鹭";
  refusal([&] { store.search(me, characters, 5); }, SiteError::Code::invalid);
  // Any of the words: the first ones are asked for.
  EXPECT_EQ(full_text_query(words + "one two", Match::any_word, false),
            full_text_query(words, Match::any_word, false));
}

TEST(StoreFile, running_answers_are_stopped_after_a_crash) {
  const Folder folder;
  {
    ConversationStore store(folder.path / "site.db");
    store.create("me", "conversation-1", "", 1);
    store.add_question("me", "conversation-1", question("question-1", std::nullopt, "q"));
    store.add_answer("me", "conversation-1",
                     answer("answer-01", "question-1", AnswerState::running, "half a sen"));
    EXPECT_EQ(store.list("me", 1, {}).conversations.at(0).running, "answer-01");
  }
  ConversationStore store(folder.path / "site.db");
  EXPECT_EQ(store.read_node("me", "answer-01").node.state, AnswerState::stopped);
  EXPECT_EQ(store.search("me", "sentence", 5).size(), 0U);
  EXPECT_EQ(store.search("me", "half", 5).size(), 1U);
  store.check_integrity();
}

TEST(StoreFile, kill_in_the_middle_of_a_write_loses_nothing_that_was_acknowledged) {
  const Folder folder;
  std::mt19937 random(7);
  std::vector<std::string> acknowledged;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      try {
        ConversationStore store(folder.path / "site.db");
        for (int i = 0;; ++i) {
          const std::string id = fmt::format("{:03}-{:06}", round, i);
          store.create("me", "c" + id, "t", 1);
          store.add_question("me", "c" + id, question("q" + id, std::nullopt, std::string(3000, 'x')));
          if (write(ends[1], id.data(), id.size()) < 0) _exit(1);
        }
      } catch (...) {
        _exit(2);
      }
    }
    close(ends[1]);
    std::string text;
    char buffer[4096];
    ssize_t got = read(ends[0], buffer, sizeof(buffer));  // it has begun
    if (got > 0) text.append(buffer, static_cast<size_t>(got));
    usleep(std::uniform_int_distribution<unsigned>(0, 60'000)(random));
    kill(child, SIGKILL);
    while ((got = read(ends[0], buffer, sizeof(buffer))) > 0) text.append(buffer, static_cast<size_t>(got));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    for (size_t at = 0; at + 10 <= text.size(); at += 10) acknowledged.push_back(text.substr(at, 10));
  }
  EXPECT_GT(acknowledged.size(), 12U);
  ConversationStore store(folder.path / "site.db");
  store.check_integrity();
  for (const std::string& id : acknowledged) {
    EXPECT_EQ(store.read("me", "c" + id).nodes.at(0).content.size(), 3000U);
  }
}

TEST(StoreFile, a_full_disk_is_a_clear_error_and_nothing_is_lost) {
  const Folder folder;
  const int result = r1::test::on_small_disk(folder.path, "1m", [&] {
    ConversationStore store(folder.path / "site.db");
    int stored = 0;
    std::string message;
    store.create("me", "conversation-1", "", 1);
    try {
      for (; stored < 1000; ++stored) {
        const std::string id = fmt::format("question-{}", stored);
        store.add_question("me", "conversation-1", question(id, std::nullopt, std::string(20'000, 'x')));
      }
    } catch (const Error& error) {
      message = error.what();
      if (error.kind() != ErrorKind::io) return 3;
    }
    if (message.find("the disk is full") == std::string::npos || stored == 0) return 4;
    store.check_integrity();
    return store.read("me", "conversation-1").nodes.size() == static_cast<size_t>(stored) ? 0 : 5;
  });
  if (result == r1::test::kNoNamespaces) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace r1::site
