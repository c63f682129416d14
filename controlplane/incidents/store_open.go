package incidents

import (
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// openCasesOn are the open cases that touch a server.
func openCasesOn(tx *db.Tx, server string) (ids []string, err error) {
	err = tx.Raw("SELECT c.id FROM incident_cases c JOIN incident_servers v ON v.case_id = c.id WHERE c.state = 'open' AND v.server_id = ? AND v.removed_at = 0 ORDER BY c.id", server).Scan(&ids).Error
	return ids, err
}

// concernsIn are the servers by which open cases touch whoever is in scope, and
// how many cases do.
func concernsIn(tx *db.Tx, scope policy.Scope) (servers []string, n int, err error) {
	const open = "SELECT id FROM incident_cases WHERE state = 'open' AND drill = 0"
	if scope.All() {
		var count int64
		if err = tx.Raw("SELECT COUNT(*) FROM (" + open + ") c").Scan(&count).Error; err != nil || count == 0 {
			return nil, 0, err
		}
		err = tx.Raw("SELECT DISTINCT server_id FROM incident_servers WHERE removed_at = 0 AND case_id IN (" + open + ")").Scan(&servers).Error
		return servers, int(count), err
	}
	var rows []affectedRow
	err = db.Within(tx.DB, scope).Where("state <> ? AND removed_at = 0 AND case_id IN ("+open+")", string(Cleared)).Find(&rows).Error
	cases := map[string]bool{}
	for _, r := range rows {
		cases[r.CaseID] = true
		servers = append(servers, parted[string](r.Servers)...)
	}
	return distinct(servers), len(cases), err
}

// openCases are the ids of the cases that are open; of a customer unless "".
func openCases(tx *db.Tx, customer string) (ids []string, err error) {
	q := "SELECT id FROM incident_cases WHERE state = 'open'"
	if customer == "" {
		err = tx.Raw(q + " ORDER BY id").Scan(&ids).Error
		return ids, err
	}
	err = tx.Raw(q+" AND EXISTS (SELECT 1 FROM incident_affected a WHERE a.case_id = incident_cases.id AND a.customer_id = ?) ORDER BY id", customer).Scan(&ids).Error
	return ids, err
}
