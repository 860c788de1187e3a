// The tables of the conversation store. A released migration never changes: add another.
//
// Full text: `title_words` and `node_words` hold only the index; the triggers keep them in step with the
// rows. An answer is indexed once it has ended: while it runs its text changes every second.
#pragma once

#include <array>

#include "formats/database.h"

namespace r1::site {

inline constexpr std::array<Migration, 1> kConversationMigrations{{{
    "conversations, nodes, files, settings",
    R"sql(
CREATE TABLE conversations (
  key INTEGER PRIMARY KEY,
  owner TEXT NOT NULL, id TEXT NOT NULL,
  title TEXT NOT NULL,
  created INTEGER NOT NULL, updated INTEGER NOT NULL,  -- ms since 1970
  leaf INTEGER REFERENCES nodes (key) ON DELETE SET NULL,
  UNIQUE (owner, id));
CREATE INDEX conversations_by_time ON conversations (owner, updated, key);
CREATE INDEX conversations_by_leaf ON conversations (leaf);

CREATE TABLE nodes (
  key INTEGER PRIMARY KEY,  -- in the order of their making
  conversation INTEGER NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
  owner TEXT NOT NULL, id TEXT NOT NULL,
  parent INTEGER REFERENCES nodes (key),  -- no cascade: SQLite's stops at 1000 levels
  role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
  created INTEGER NOT NULL,
  content TEXT NOT NULL,
  reasoning TEXT NOT NULL,
  thinking_ms INTEGER,
  state INTEGER NOT NULL,  -- AnswerState
  model TEXT NOT NULL, deep_think INTEGER NOT NULL, search INTEGER NOT NULL,
  error TEXT, usage TEXT, timing TEXT, request TEXT,  -- JSON
  sources TEXT NOT NULL,                              -- JSON
  UNIQUE (owner, id));
CREATE INDEX nodes_by_conversation ON nodes (conversation);
CREATE INDEX nodes_by_parent ON nodes (parent);
CREATE INDEX nodes_running ON nodes (conversation) WHERE state = 0;

CREATE TABLE files (
  key INTEGER PRIMARY KEY,
  owner TEXT NOT NULL, id TEXT NOT NULL,
  name TEXT NOT NULL, bytes INTEGER NOT NULL, characters INTEGER NOT NULL, tokens INTEGER NOT NULL,
  created INTEGER NOT NULL,
  text TEXT NOT NULL,
  UNIQUE (owner, id));
CREATE TABLE node_files (
  node INTEGER NOT NULL REFERENCES nodes (key) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  file INTEGER NOT NULL REFERENCES files (key),
  PRIMARY KEY (node, position)) WITHOUT ROWID;
CREATE INDEX node_files_by_file ON node_files (file);

CREATE TABLE settings (
  owner TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,  -- JSON
  PRIMARY KEY (owner, name)) WITHOUT ROWID;

CREATE VIRTUAL TABLE title_words USING fts5(
  title, content='conversations', content_rowid='key', tokenize='r1_words unicode61');
CREATE TRIGGER title_words_insert AFTER INSERT ON conversations BEGIN
  INSERT INTO title_words (rowid, title) VALUES (new.key, new.title);
END;
CREATE TRIGGER title_words_delete AFTER DELETE ON conversations BEGIN
  INSERT INTO title_words (title_words, rowid, title) VALUES ('delete', old.key, old.title);
END;
CREATE TRIGGER title_words_update AFTER UPDATE OF title ON conversations BEGIN
  INSERT INTO title_words (title_words, rowid, title) VALUES ('delete', old.key, old.title);
  INSERT INTO title_words (rowid, title) VALUES (new.key, new.title);
END;

CREATE VIRTUAL TABLE node_words USING fts5(
  content, content='nodes', content_rowid='key', tokenize='r1_words unicode61');
CREATE TRIGGER node_words_insert AFTER INSERT ON nodes WHEN new.state <> 0 BEGIN
  INSERT INTO node_words (rowid, content) VALUES (new.key, new.content);
END;
CREATE TRIGGER node_words_delete AFTER DELETE ON nodes WHEN old.state <> 0 BEGIN
  INSERT INTO node_words (node_words, rowid, content) VALUES ('delete', old.key, old.content);
END;
CREATE TRIGGER node_words_update AFTER UPDATE OF content, state ON nodes
WHEN old.state <> 0 OR new.state <> 0 BEGIN
  INSERT INTO node_words (node_words, rowid, content)
    SELECT 'delete', old.key, old.content WHERE old.state <> 0;
  INSERT INTO node_words (rowid, content) SELECT new.key, new.content WHERE new.state <> 0;
END;
)sql",
}}};

}  // namespace r1::site
