#include "server/content/conversation_store.h"

#include <algorithm>
#include <charconv>

#include "base/json_text.h"
#include "server/content/conversation_rows.h"
#include "server/content/conversation_schema.h"
#include "server/content/site_error.h"
#include "server/content/site_time.h"

namespace r1::site {
namespace {

using Code = SiteError::Code;

/// Summaries, from "conversations c"; the running answer is looked up through its partial index.
const std::string kSummary =
    "SELECT c.key, c.id, c.title, c.created, c.updated, (SELECT id FROM nodes WHERE key = c.leaf), "
    "(SELECT id FROM nodes WHERE conversation = c.key AND state = 0) ";

Summary summary_of_row(const Statement& row) {
  return {row.text(1),    row.text(2),          row.integer(3),
          row.integer(4), row.optional_text(5), row.optional_text(6)};
}

Json parsed(const std::optional<std::string>& text) {
  return text ? parse_json_text<Json>(*text) : Json(nullptr);
}

}  // namespace

ConversationStore::ConversationStore(const std::filesystem::path& file, Clock clock)
    : database_(file), clock_(clock ? std::move(clock) : Clock(now_ms)) {
  register_word_tokenizer(database_);
  database_.migrate("conversations", kConversationMigrations);
  database_.prepare("UPDATE nodes SET state = ?1 WHERE state = 0")
      .bind(static_cast<int>(AnswerState::stopped))
      .run();
}

std::optional<ConversationStore::Row> ConversationStore::find_conversation(const std::string& owner,
                                                                           const std::string& id) {
  Statement found = database_.prepare(kSummary + "FROM conversations c WHERE c.owner = ?1 AND c.id = ?2");
  if (!found.bind(owner, id).step()) return std::nullopt;
  return Row{found.integer(0), summary_of_row(found)};
}

ConversationStore::Row ConversationStore::conversation_row(const std::string& owner, const std::string& id) {
  auto row = find_conversation(owner, id);
  if (!row) refuse(Code::not_found, "conversation {}: there is none", id);
  return *std::move(row);
}

SummaryPage ConversationStore::list(const std::string& owner, int limit,
                                    const std::optional<std::string>& before) {
  int64_t updated = INT64_MAX, key = INT64_MAX;
  if (before) {  // "UPDATED.KEY" of the last one before
    const char* end = before->data() + before->size();
    const auto first = std::from_chars(before->data(), end, updated);
    const bool divided = first.ec == std::errc() && first.ptr != end && *first.ptr == '.';
    const auto second = divided ? std::from_chars(first.ptr + 1, end, key) : first;
    if (!divided || second.ec != std::errc() || second.ptr != end) {
      refuse(Code::invalid, "before: not a cursor of this list: '{}'", *before);
    }
  }
  const std::lock_guard lock(mutex_);
  Statement rows =
      database_.prepare(kSummary +
                        "FROM conversations c WHERE c.owner = ?1 AND (c.updated, c.key) < (?2, ?3) "
                        "ORDER BY c.updated DESC, c.key DESC LIMIT ?4");
  rows.bind(owner, updated, key, limit + 1);
  SummaryPage page;
  while (rows.step()) {
    if (static_cast<int>(page.conversations.size()) == limit) {
      page.next = fmt::format("{}.{}", page.conversations.back().updated, key);
      break;
    }
    key = rows.integer(0);
    page.conversations.push_back(summary_of_row(rows));
  }
  return page;
}

std::vector<FoundConversation> ConversationStore::search(const std::string& owner, const std::string& query,
                                                         int limit) {
  const std::string words = full_text_query(query, Match::all_words, true);
  std::vector<FoundConversation> found;
  if (words.empty()) return found;
  const std::lock_guard lock(mutex_);
  const auto add = [&](Statement& rows) {
    while (static_cast<int>(found.size()) < limit && rows.step()) {
      Summary summary = summary_of_row(rows);
      const auto same = [&](const FoundConversation& other) { return other.id == summary.id; };
      if (std::any_of(found.begin(), found.end(), same)) continue;
      found.push_back({std::move(summary), rows.optional_text(7), snippet_parts(rows.text(8))});
    }
  };
  Statement titles =
      database_.prepare(kSummary +
                        ", NULL, highlight(title_words, 0, ?3, ?4) FROM title_words JOIN conversations c ON "
                        "c.key = title_words.rowid WHERE title_words MATCH ?2 AND c.owner = ?1 ORDER BY "
                        "bm25(title_words), c.key DESC");
  add(titles.bind(owner, words, kMatchBegin, kMatchEnd));
  Statement nodes = database_.prepare(
      kSummary +
      ", n.id, snippet(node_words, 0, ?3, ?4, '…', 24) FROM node_words JOIN nodes n ON n.key = "
      "node_words.rowid "
      "JOIN conversations c ON c.key = n.conversation WHERE node_words MATCH ?2 AND c.owner = ?1 "
      "ORDER BY bm25(node_words), n.key DESC");
  add(nodes.bind(owner, words, kMatchBegin, kMatchEnd));
  return found;
}

ConversationStore::Created ConversationStore::create(const std::string& owner, const std::string& id,
                                                     const std::string& title, int64_t created) {
  if (!is_valid_id(id)) refuse(Code::invalid, "id: expected 8 to 64 of [A-Za-z0-9_-]");
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  if (auto row = find_conversation(owner, id)) return {std::move(row->summary), false};
  use_room(owner, std::ssize(title) + kRowBytes);
  database_
      .prepare("INSERT INTO conversations (owner, id, title, created, updated) VALUES (?1, ?2, ?3, ?4, ?5)")
      .bind(owner, id, title, created, now())
      .run();
  Created made{conversation_row(owner, id).summary, true};
  transaction.commit();
  return made;
}

std::vector<AttachedFile> ConversationStore::attached_files(int64_t node) {
  Statement rows = database_.prepare(
      "SELECT f.id, f.name, f.bytes, f.tokens FROM node_files a JOIN files f ON f.key = a.file "
      "WHERE a.node = ?1 ORDER BY a.position");
  rows.bind(node);
  std::vector<AttachedFile> files;
  while (rows.step()) files.push_back({rows.text(0), rows.text(1), rows.integer(2), rows.integer(3)});
  return files;
}

Node ConversationStore::node_of_row(Statement& row) {
  Node node;
  node.id = row.text(1);
  node.parent = row.optional_text(2);
  node.role = row.text(3) == "user" ? Role::user : Role::assistant;
  node.created = row.integer(4);
  node.content = row.text(5);
  if (node.role == Role::user) {
    node.files = attached_files(row.integer(0));
    return node;
  }
  node.reasoning = row.text(6);
  node.thinking_ms = row.optional_integer(7);
  node.state = static_cast<AnswerState>(row.integer(8));
  node.model = row.text(9);
  node.deep_think = row.integer(10) != 0;
  node.search = row.integer(11) != 0;
  node.error = parsed(row.optional_text(12));
  node.usage = parsed(row.optional_text(13));
  node.timing = parsed(row.optional_text(14));
  node.request = parsed(row.optional_text(15));
  node.sources = read_sources(parse_json_text<Json>(row.text(16)), "sources");
  return node;
}

Conversation ConversationStore::read_unlocked(const std::string& owner, const std::string& id) {
  Row row = conversation_row(owner, id);
  Conversation conversation{std::move(row.summary), {}};
  Statement nodes = database_.prepare(
      fmt::format("SELECT {} FROM nodes n WHERE n.conversation = ?1 ORDER BY n.key", kNodeColumns));
  nodes.bind(row.key);
  while (nodes.step()) conversation.nodes.push_back(node_of_row(nodes));
  return conversation;
}

Conversation ConversationStore::read(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  return read_unlocked(owner, id);
}

Summary ConversationStore::change(const std::string& owner, const std::string& id,
                                  const std::optional<std::string>& title,
                                  const std::optional<std::string>& leaf) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  const int64_t key = conversation_row(owner, id).key;
  if (title) database_.prepare("UPDATE conversations SET title = ?2 WHERE key = ?1").bind(key, *title).run();
  if (leaf) {
    Statement update = database_.prepare(
        "UPDATE conversations SET leaf = n.key FROM nodes n WHERE conversations.key = ?1 AND n.conversation "
        "= ?1 "
        "AND n.id = ?2");
    update.bind(key, *leaf).run();
    if (database_.changed_rows() == 0)
      refuse(Code::invalid, "leaf: conversation {} has no node '{}'", id, *leaf);
  }
  Summary changed = conversation_row(owner, id).summary;
  transaction.commit();
  return changed;
}

void ConversationStore::remove_row(int64_t conversation) {
  // What only this conversation has: its files are remembered before the rows that tell so go.
  database_.execute("CREATE TEMP TABLE IF NOT EXISTS doomed (file INTEGER PRIMARY KEY)");
  database_
      .prepare(
          "INSERT OR IGNORE INTO doomed SELECT a.file FROM node_files a JOIN nodes n ON n.key = a.node "
          "WHERE n.conversation = ?1")
      .bind(conversation)
      .run();
  database_.prepare("DELETE FROM conversations WHERE key = ?1").bind(conversation).run();
  database_.execute(
      "DELETE FROM files WHERE key IN (SELECT file FROM doomed) AND NOT EXISTS "
      "(SELECT 1 FROM node_files WHERE file = files.key); DELETE FROM doomed");
}

void ConversationStore::remove(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  remove_row(conversation_row(owner, id).key);
  transaction.commit();
}

void ConversationStore::remove_all(const std::string& owner) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  std::vector<int64_t> keys;
  Statement rows = database_.prepare("SELECT key FROM conversations WHERE owner = ?1");
  for (rows.bind(owner); rows.step();) keys.push_back(rows.integer(0));
  for (const int64_t key : keys) remove_row(key);
  transaction.commit();
}

Json ConversationStore::settings(const std::string& owner) {
  Json settings = {{"language", nullptr},   {"theme", nullptr},          {"model", nullptr},
                   {"deep_think", true},    {"search", false},           {"search_provider", nullptr},
                   {"system_prompt", ""},   {"temperature", nullptr},    {"top_p", nullptr},
                   {"max_tokens", nullptr}, {"thinking_budget", nullptr}};
  const std::lock_guard lock(mutex_);
  Statement rows = database_.prepare("SELECT name, value FROM settings WHERE owner = ?1");
  for (rows.bind(owner); rows.step();) {
    // A setting that this version does not know was written by another one: left alone.
    if (const auto known = settings.find(rows.text(0)); known != settings.end())
      *known = parse_json_text<Json>(rows.text(1));
  }
  return settings;
}

Json ConversationStore::change_settings(const std::string& owner, const Json& patch) {
  if (!patch.is_object()) refuse(Code::invalid, "settings: expected an object");
  const auto check = [](const std::string& name, const Json& value) -> const char* {
    const bool null = value.is_null();
    const auto within = [&](double low, double high) {
      return value.is_number() && value.get<double>() >= low && value.get<double>() <= high;
    };
    if (name == "language") return null || value == "en" || value == "zh" ? nullptr : "en, zh or null";
    if (name == "theme") return null || value == "light" || value == "dark" ? nullptr : "light, dark or null";
    if (name == "model" || name == "search_provider")
      return null || value.is_string() ? nullptr : "a name or null";
    if (name == "deep_think" || name == "search")
      return null || value.is_boolean() ? nullptr : "true or false";
    if (name == "system_prompt") return null || value.is_string() ? nullptr : "a string";
    if (name == "temperature") return null || within(0, 2) ? nullptr : "a number from 0 to 2, or null";
    if (name == "top_p") return null || within(0, 1) ? nullptr : "a number from 0 to 1, or null";
    if (name == "max_tokens" || name == "thinking_budget") {
      const bool fits = value.is_number_integer() && within(name == "max_tokens" ? 1 : 0, 1e9);
      return null || fits ? nullptr : "a whole number, or null";
    }
    return "one of the settings of docs/site-api.md; there is no such field";
  };
  for (const auto& [name, value] : patch.items()) {
    if (const char* wanted = check(name, value)) {
      refuse(Code::invalid, "{}: expected {}, found {}", name, wanted,
             value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 60));
    }
  }
  {
    const std::lock_guard lock(mutex_);
    Transaction transaction(database_);
    for (const auto& [name, value] : patch.items()) {
      if (value.is_null()) {  // back to the default
        database_.prepare("DELETE FROM settings WHERE owner = ?1 AND name = ?2").bind(owner, name).run();
      } else {
        database_.prepare("INSERT OR REPLACE INTO settings VALUES (?1, ?2, ?3)")
            .bind(owner, name, *dumped(value))
            .run();
      }
    }
    transaction.commit();
  }
  return settings(owner);
}

void ConversationStore::check_integrity() {
  const std::lock_guard lock(mutex_);
  database_.check_integrity();
  // FTS5's own check: the index says what the rows say. (Running answers are in neither.)
  database_.execute("INSERT INTO title_words (title_words) VALUES ('integrity-check')");
  database_.execute("INSERT INTO node_words (node_words) VALUES ('integrity-check')");
}

}  // namespace r1::site
