"""From energy to dose: maps, organs, CTDI and SSDE, DVH, uncertainty budget."""
