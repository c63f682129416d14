-- +goose Up
-- Emergency access that somebody took alone, because nobody else was awake.
ALTER TABLE access_grants ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
