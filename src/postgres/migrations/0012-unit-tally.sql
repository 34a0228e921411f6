-- What a unit counts beside its sums (import/pipeline/unit-tally.ts): lines by resource type, references that lead nowhere.
alter table import_unit add column tally jsonb;

-- Why lines of an import were rejected, grouped for people (import/job/causes.ts); null until it is completed.
alter table import_job add column causes jsonb;
