"""From a rig file to a typed, validated plan."""
