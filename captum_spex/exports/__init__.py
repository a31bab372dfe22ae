"""Results for other tools and for people: functions that take a result, which `captum_spex.Interactions` calls."""
