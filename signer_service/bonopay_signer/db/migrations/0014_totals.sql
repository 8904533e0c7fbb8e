-- Documents that were blocked because the DGI's totals are not theirs: each minute's look for alarms reads the last
-- week of an outlet.
CREATE INDEX dgi_event_of_totals ON signer.dgi_event (outlet_id, at) WHERE kind = 'totals.differ';
