-- The time zone of dates without one (decision D-29). One row: the stored ranges of dates rest on it. Stores made before read them in UTC.
create table time_zone (
  one boolean not null primary key default true check (one),
  name text not null
);
insert into time_zone (name) select 'UTC' where exists (select from head);
