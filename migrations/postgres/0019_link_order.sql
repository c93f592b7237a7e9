-- Of several issues a pull request is about the one that it names first.

ALTER TABLE pull_links ADD COLUMN position BIGINT NOT NULL DEFAULT 0;

-- Which that is was not kept: those with several are taken up anew when their list is read next.
UPDATE pulls SET content_hash = '' WHERE state = 'open' AND EXISTS (SELECT 1 FROM pull_links l, pull_links o
    WHERE l.repository_id = pulls.repository_id AND l.number = pulls.number
        AND o.repository_id = l.repository_id AND o.number = l.number AND o.issue_number <> l.issue_number);
DELETE FROM pull_etags WHERE number = 0 AND what = 'open'
    AND repository_id IN (SELECT p.repository_id FROM pulls p WHERE p.content_hash = '');
