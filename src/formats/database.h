// SQLite 3 with C++'s ownership and this program's errors. Here, on a low floor, because the chat site's
// store, its search index and the server's API keys all use it.
//
// Durability: a write-ahead log with synchronous=FULL. What run() or Transaction::commit() acknowledged is on
// the disk: killing the process or losing power loses nothing of it and leaves the file intact
// (https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace r1 {

class Database;

/// A prepared statement. Must not outlive its Database. All functions throw Error, as Database says.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;
  ~Statement();

  /// Values of the parameters ?1, ?2, … in order; those of an earlier run are forgotten.
  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int position = 0;
    (bind_one(++position, values), ...);
    return *this;
  }

  /// True: a row is there. False: done.
  bool step();
  /// Runs to the end and resets.
  void run();
  void reset();

  // Columns of the row, from 0. Text is copied.
  bool is_null(int column) const;
  int64_t integer(int column) const;
  double number(int column) const;
  std::string text(int column) const;
  std::optional<int64_t> optional_integer(int column) const;
  std::optional<std::string> optional_text(int column) const;

  sqlite3_stmt* handle() { return handle_; }

 private:
  friend class Database;
  Statement(const Database& database, sqlite3_stmt* handle) : database_(&database), handle_(handle) {}

  void bind_one(int position, std::nullptr_t);
  void bind_one(int position, bool value) { bind_one(position, int64_t{value}); }
  void bind_one(int position, int value) { bind_one(position, int64_t{value}); }
  void bind_one(int position, int64_t value);
  void bind_one(int position, double value);
  void bind_one(int position, std::string_view value);
  void bind_one(int position, const std::string& value) { bind_one(position, std::string_view(value)); }
  void bind_one(int position, const char* value) { bind_one(position, std::string_view(value)); }
  template <typename T>
  void bind_one(int position, const std::optional<T>& value) {
    if (value) {
      bind_one(position, *value);
    } else {
      bind_one(position, nullptr);
    }
  }

  const Database* database_;
  sqlite3_stmt* handle_;
};

/// One step of a schema's history, in order from version 1. Never changed once released.
struct Migration {
  const char* name;  // what it does, for the table
  const char* sql;
};

/// One connection. Not for several threads at once: the owner locks. Errors: Error(io) when the system
/// refuses (the disk is full: nothing of the transaction is saved, what was there before stays), or another
/// process holds the lock for more than 10 s; Error(bad_file) for a file that is damaged or no database;
/// Error(invalid_argument) for a broken constraint; std::logic_error for wrong SQL.
class Database {
 public:
  /// Opens or creates it, readable by its owner only; its folder must exist. ":memory:": in memory.
  explicit Database(const std::filesystem::path& file);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Brings one component's tables to its newest version, in one transaction, and remembers that in the table
  /// schema_migrations. Error(unsupported): a newer program has written the file.
  void migrate(std::string_view component, std::span<const Migration> migrations);

  void execute(const std::string& sql);
  Statement prepare(std::string_view sql) const;
  int64_t last_row() const;      // row id of the last insert
  int64_t changed_rows() const;  // by the last statement

  /// Error(bad_file) with SQLite's first finding when the file or a foreign key is not intact. Reads
  /// everything.
  void check_integrity() const;

  sqlite3* handle() { return handle_; }
  const std::string& name() const { return name_; }

 private:
  friend class Statement;
  [[noreturn]] void fail(int code) const;

  std::string name_;
  sqlite3* handle_ = nullptr;
};

/// Everything or nothing. Rolled back unless commit() was called; not nested.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace r1
